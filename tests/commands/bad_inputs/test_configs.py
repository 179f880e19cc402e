"""Wrong overrides, and analyses that cannot be done."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import re

import pytest

from tests.commands.bad_inputs.cases import BIDS, TINY, Case
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every

CONFIG = [
    Case("a negative rate", r"`optimizer.lr` must be a number above 0, but got -1", ("optimizer.lr=-1",)),
    Case("a seed too large", r"`seed` must be from 0 to 9223372036854775807, but got 99999999999999999999999", ("seed=" + 23 * "9",)),
    Case("a key that is none", r"Key 'kernel' not in 'Variable1DCNNConfig'", ("model.kernel=3",), code=1),
    Case("a misspelt key", r"Did you mean `trainer.max_epochs`\?", ("trainer.max_epoch=3",), code=1),
    Case("a misspelt group", r"Did you mean `model`\?", ("modell=cnn",), code=1),
    Case("a misspelt choice", r"Did you mean `model=variable1dcnn`\?", ("model=variable1dcn",), code=1),
    Case("misspelt parts of a key", r"'trainr.max_epoch'\.\nDid you mean `trainer.max_epochs`\?", ("trainr.max_epoch=3", "modell=cnn"), code=1),
    Case("a misspelt key in a grid", r"Did you mean `trainer.max_epochs`\?", ("--multirun", "trainer.max_epoch=3,4"), code=1),
    Case("a misspelt key that is added", r"`trainer.max_epoch` must be a key that exists.* Did you mean `trainer.max_epochs`, without", ("+trainer.max_epoch=3",)),
    Case("a value of no type", r"Value 'big' of type 'str' could not be .* Integer", ("model.kernel_size=big",), code=1),
    Case("nothing for a number", r"field 'seed' is not Optional", ("seed=null",), code=1),
    Case("a choice that is none", r"Could not find 'model/cnn'\s+Available options[^/]*variable1dcnn", ("model=cnn",), code=1),
    Case("no choice", r"Could not find 'split/null'\s+Available options[^/]*kfold", ("split=null",), code=1),
    Case("a number as a choice", r"Could not find 'optimizer/3'\s+Available options[^/]*adamw", ("optimizer=3",), code=1),
    Case("words without a value", r"`nonsense` must be KEY=VALUE, but has no `=`", ("nonsense",)),
    Case("an option that is none", r"unrecognized arguments: --nonsense", ("--nonsense",)),
    Case("a group left out", r"`model` must be given, but got nothing", ("~model",)),
    Case("a mistake beside a relative reference", r"`optimizer.lr` must be a number above 0", ("model.stride=${.depth}", "optimizer.lr=-1")),
    Case("an interpolation to nowhere", r"`batch_size`.* 'nowhere' not found", ("batch_size=${nowhere}",)),
    Case("words for a limit", r"`trainer.limit_train_batches` must be .* but got 'many'", ("trainer.limit_train_batches=many",)),
    Case("an optimizer that is none", r"`optimizer` names 'torch.optim.Nothing'.*Nothing.*Check its name", ("optimizer._target_=torch.optim.Nothing", *TINY)),
    Case("a callback that is none", r"`trainer.callbacks` names 'no.such'.*No module named 'no'", ("trainer.callbacks=[{_target_: no.such}]", *BIDS)),
    Case("words for an interval", r"`trainer`.*often", ("trainer.val_check_interval=often", *TINY)),
    Case("a strategy that is none", r"`trainer.strategy` must .*nonsense", ("trainer.strategy=nonsense", *TINY)),
    Case("a profiler that is none", r"`trainer`: Lightning refuses.*`profiler` parameter.*'simple'", ("trainer.profiler=nonsense", *TINY)),
    Case("no batches at a time", r"`trainer.accumulate_grad_batches` must be 1 or more, but got 0", ("trainer.accumulate_grad_batches=0",)),
    Case("a validation at no time", r"`trainer.check_val_every_n_epoch` must be 1 or more, but got 0", ("trainer.check_val_every_n_epoch=0",)),
    Case("an argument that no optimizer has", r"`optimizer` cannot be made of its arguments: .*'speed'", ("+optimizer.speed=3", *TINY)),
    Case("a factor that no scheduler takes", r"`scheduler` cannot be made of its arguments: Factor should be < 1.0", ("scheduler=plateau", "scheduler.factor=3", *TINY)),
    Case("too many people", r"`cohort.n_participants` must be from 1 to 999999, but got 1000000000", ("cohort.n_participants=1000000000",)),
    Case("a number for a logger", r"`logger.mine` must be a logger's values, but got 3", ("+logger.mine=3",)),
    Case("a folder of configs that is not there", r"--config-dir|nowhere", ("--config-dir", "nowhere"), None, 1),
    Case("a precision that is none", r"`trainer`: Lightning refuses.*Precision 7 is invalid", ("trainer.precision=7", *TINY)),
    Case("too large a network", r"`model.max_parameters=5000000` is exceeded", ("model.start_out=10000",)),
    Case("a modality's numbers", r"`modality.good_components` must be rising component numbers from 1 to 25, but got \[1, 99\]", ("modality.good_components=[1,99]",)),
    Case("another version of the generator", r"`cohort.version` must be from 1 to 2, but got 9", ("cohort.version=9",)),
    Case("one for whom a measure is undefined", r"`objective=val/r2` needs two or more validation participants", ("objective=val/r2", *BIDS)),
]  # fmt: skip

FINDINGS = [
    Case("a variable that no table has", r"`associations.variables` .*'grip_strenght'.*Did you mean `grip_strength`", (*TINY, "associations.variables=[grip_strenght]")),
    Case("an id as a variable", r"`associations.variables` .*got 'participant_id'", (*TINY, "associations.variables=[participant_id]")),
    Case("a correction that is none", r"`gap_correction` got 'cloe'\. Choose one of .*Did you mean `cole`", (*TINY, "gap_correction=cloe")),
    Case("rows that are none", r"`associations.rows` got 'val'\. Choose one of all, test, val\+test", (*TINY, "associations.rows=val")),
    Case("points that are none", r"`report.points` got 'few'", (*TINY, "report.points=few")),
    Case("too few resamples", r"`report.n_resamples` must be from 100 to 1000000, but got 10", (*TINY, "report.n_resamples=10")),
    Case("a kind of connectivity that is none", r"`model.kind` got 'covariance'", (*TINY[:1], "trainer=cpu", "cohort.n_participants=40", "model=ridge_connectivity", "model.kind=covariance")),
]  # fmt: skip


@pytest.mark.parametrize("case", every(5, [*CONFIG, *FINDINGS]), ids=lambda case: case.name)
def test_a_wrong_override_is_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
