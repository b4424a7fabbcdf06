"""A callback of the real Lightning changes no bit of a training: `make test-extras`."""

import lightning.pytorch as pl
import pandas as pd
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from netdyn.analysis.lightning import MonitorCallback
from netdyn.errors import NetdynError

pytestmark = pytest.mark.extras

numbers = torch.Generator().manual_seed(0)
X, Y = torch.rand(60, 6, generator=numbers), torch.arange(60) % 4


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 4)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def fit(folder, callbacks=(), epochs=2, checkpoint=None, **options):
    pl.seed_everything(0)
    model = Classifier()
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", default_root_dir=folder, callbacks=[*callbacks],
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        **({"logger": False} | options),
    )  # fmt: skip
    loader = DataLoader(TensorDataset(X, Y), batch_size=20, shuffle=True)
    trainer.fit(model, loader, ckpt_path=checkpoint, weights_only=True)
    return model, trainer


@pytest.mark.parametrize("network", [None, lambda module: module.net])
def test_a_training_is_the_same_to_the_bit(network, tmp_path):
    callback = MonitorCallback(X, Y, network, test=(X, Y), share=float("inf"))
    watched, _ = fit(tmp_path, [callback])
    plain, _ = fit(tmp_path)
    for (name, one), other in zip(
        watched.state_dict().items(), plain.state_dict().values(), strict=True
    ):
        assert one.numpy().tobytes() == other.numpy().tobytes(), name
    assert [*callback.table.step.unique()] == [1, 2, 3, 4, 5, 6]
    assert {*callback.table.quantity} >= {"test_accuracy", "rpd_gradient", "pruning"}


def test_accumulated_batches_are_one_step(tmp_path):
    callback = MonitorCallback(X, Y, share=float("inf"), quantities=["loss"])
    fit(tmp_path, [callback], accumulate_grad_batches=3)
    # The first call comes before the first step of the optimizer.
    assert [*callback.table.step.unique()] == [0, 1, 2]


def test_the_trainers_logger_gets_it_and_a_checkpoint_keeps_it(tmp_path):
    callback = MonitorCallback(X, Y, share=float("inf"))
    logger = CSVLogger(tmp_path)
    _, trainer = fit(tmp_path, [callback], epochs=1, logger=logger)
    logger.save()
    logged = pd.read_csv(f"{logger.log_dir}/metrics.csv").set_index("step")
    g = callback.table.query("quantity == 'rpd_gradient'").set_index("step").value
    assert logged["rpd_gradient/site_1"].dropna().to_dict() == pytest.approx(g.to_dict())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = MonitorCallback(X, Y, share=float("inf"))
    fit(tmp_path, [again], epochs=2, checkpoint=tmp_path / "last.ckpt")
    pd.testing.assert_frame_equal(again.table.query("step <= 3"), callback.table)
    assert [*again.table.step.unique()] == [1, 2, 3, 4, 5, 6]


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(NetdynError, match="has not started"):
        MonitorCallback(X, Y).save(tmp_path / "course.csv")
    with pytest.raises(NetdynError, match="training samples: labels of shape"):
        fit(tmp_path, [MonitorCallback(X, Y[:5])])
