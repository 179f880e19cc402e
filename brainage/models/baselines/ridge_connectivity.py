"""A ridge on functional connectivity."""

from __future__ import annotations

from brainage.errors import ConfigError, nearest
from brainage.models.baselines.ridge import Ridge
from brainage.models.features import feature_sets

KINDS = ("correlation", "partial", "tangent")


class RidgeConnectivity(Ridge):
    """Predict age from functional connectivity.

    Parameters
    ----------
    kind : {"correlation", "partial", "tangent"}
        Fisher-z transformed correlations or partial correlations, or the tangent space at the training participants'
        mean covariance. "partial correlation" is another word for "partial".
    """

    def __init__(self, *, kind: str = "correlation") -> None:
        kind = "partial" if kind == "partial correlation" else kind
        if kind not in KINDS:
            raise ConfigError(f"`model.kind` got {kind!r}. {nearest(str(kind), KINDS)}")
        super().__init__(*feature_sets([kind], "model.kind"))
