"""People whom a trained network meets: a cohort's table and series, whether or not their ages are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from brainage.config.schema import CohortConfig, ModalityConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import nn

    from brainage.data.cohorts.select import Selection
    from brainage.data.store.layout import Store


@dataclass(frozen=True)
class Newcomers:
    """People and their series.

    Parameters
    ----------
    selection : Selection
        The cohort's table, with every phenotype, and the scans.
    store : Store
        Their series; who could not be used stands there too.
    people : DataFrame
        Who can be used, sorted by id: ``participant_id``, ``age`` (NaN where unknown), ``row`` in the store.
    """

    selection: Selection
    store: Store
    people: pd.DataFrame


def people_of(cohort: CohortConfig, modality: ModalityConfig, store_root: str) -> Newcomers:
    """Read a cohort for a network that is trained already.

    Parameters
    ----------
    cohort : CohortConfig
        Of whatever kind.
    modality : ModalityConfig
        What the network sees.
    store_root : str
        Folder of all stores; theirs is made there if need be.

    Raises
    ------
    ConfigError, CohortError, MissingPathError, StoreError
        It cannot be read; or nobody has a scan.
    """
    from brainage.data.cohorts.select import select_from
    from brainage.data.participants import stored_participants

    selection = select_from(cohort, modality, phenotypes=True, need_ages=False)
    participants = stored_participants(selection, modality, store_root)
    return Newcomers(selection, participants.store, participants.table[["participant_id", "age", "row"]])


def predicted_ages(
    network: nn.Module, store: Store, rows: NDArray[np.intp], channels: list[int], *, batch_size: int
) -> NDArray[np.float64]:
    """Predict people, a batch in memory at a time.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device; it gives years.
    store : Store
        Everybody's series.
    rows : array of shape (n_participants,)
        Their rows in it.
    channels : list of int
        Indices of the components that the network sees.
    batch_size : int
        Participants a batch.

    Returns
    -------
    array of shape (n_participants,)
        In years.
    """
    import pandas as pd

    from brainage.data.batches import series_batches
    from brainage.data.participants import Participants
    from brainage.training.predict import predict

    table = pd.DataFrame({"row": rows, "age": 0.0})
    return predict(network, series_batches(Participants(table, store, tuple(channels)), batch_size))
