"""What `netdyn.Monitor` costs: a CNN is trained twice, with it and without, block by block in turn.

    python benchmarks/monitor.py --output results/monitor.csv

Each pair of blocks is of the same steps of both trainings, so that a slow moment of the machine
meets both. Reading the network and the first measurement count. Weights are compared to the bit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from sklearn.datasets import load_digits
from timing import machine
from torch import nn

import netdyn

RUN = 10  # pairs


class Clock:
    """The time that one training takes: it stands still during blocks of the other."""

    def __init__(self, seconds: Callable[[], float]):
        self._seconds, self._before, self._since = seconds, 0.0, None

    def __call__(self) -> float:
        return self._before + (0.0 if self._since is None else self._seconds() - self._since)

    def start(self) -> None:
        self._since = self._seconds()

    def stop(self) -> None:
        self._before, self._since = self(), None


class Training:
    """A training in blocks, with random numbers of its own."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor):
        torch.manual_seed(0)
        self.x, self.y, self.monitor = x, y, None
        self.clock, self.processor = Clock(time.perf_counter), Clock(time.process_time)
        self.model = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten()),
            *(nn.Dropout(0.2), nn.Linear(512, 10)),
        )
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.02, momentum=0.9)
        self._random = torch.get_rng_state()

    def watch(self, samples: int, share: float) -> None:
        self._start()
        x, y = (part[:samples] for part in (self.x, self.y))
        test = tuple(part[1000 : 1000 + samples] for part in (self.x, self.y))
        self.monitor = netdyn.Monitor(self.model, x, y, test, share)
        self.monitor._budget._clock = self.clock
        self._stop()

    def _start(self) -> None:
        self.processor.start()
        self.clock.start()

    def _stop(self) -> None:
        self.clock.stop()
        self.processor.stop()

    def block(self, steps: int) -> np.ndarray:
        """Return the clock's and the processor's seconds at the end of some steps."""
        torch.set_rng_state(self._random)
        self._start()
        for _ in range(steps):
            batch = torch.randint(0, 1000, (64,))
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.x[batch]), self.y[batch]).backward()
            self.optimizer.step()
            if self.monitor is not None:
                self.monitor()
        self._stop()
        self._random = torch.get_rng_state()
        return np.array([self.clock(), self.processor()])

    def bits(self) -> bytes:
        return b"".join(tensor.numpy().tobytes() for tensor in self.model.state_dict().values())


def overheads(plain: np.ndarray, watched: np.ndarray) -> tuple[float, float, float]:
    """Return the overhead in percent and its 95 % interval, by resampling runs of ten pairs.

    Single pairs would vary more than the overhead does: measurements come at regular distances.
    """
    plain, watched = (
        seconds[: len(seconds) // RUN * RUN].reshape(-1, RUN).sum(1) for seconds in (plain, watched)
    )
    drawn = np.random.default_rng(0).integers(len(plain), size=(10_000, len(plain)))
    ratios = watched[drawn].sum(1) / plain[drawn].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return tuple(100 * (ratio - 1) for ratio in (watched.sum() / plain.sum(), low, high))


def main(
    pairs: Annotated[int, typer.Option(help="of blocks")] = 100,
    steps: Annotated[int, typer.Option(help="of a block")] = 40,
    share: Annotated[float, typer.Option(help="of the training's time")] = 0.1,
    samples: Annotated[int, typer.Option(help="measured, of training and of test")] = 300,
    output: Annotated[Path | None, typer.Option(help="CSV, a row a pair")] = None,
) -> None:
    """Print the overhead and its interval."""
    torch.set_num_threads(1)
    digits = load_digits()
    x = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    y = torch.tensor(digits.target)
    Training(x, y).block(50)
    plain, watched = Training(x, y), Training(x, y)
    watched.watch(samples, share)
    rows, before = [], (np.zeros(2), np.zeros(2))
    for pair in range(pairs):
        ends = {one: one.block(steps) for one in (plain, watched)[:: 1 if pair % 2 else -1]}
        seconds = *(ends[plain] - before[0]), *(ends[watched] - before[1])
        before = ends[plain], ends[watched]
        measurements = watched.monitor.table["step"].nunique()
        rows.append((pair, steps, share, *seconds, measurements))
    columns = [
        *("pair", "steps", "share", "plain_s", "plain_processor_s"),
        *("monitored_s", "monitored_processor_s", "measurements"),
    ]
    table = pd.DataFrame(rows, columns=columns).assign(**machine())
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(output, index=False, float_format="%.5f")
    print(f"{pairs * steps} steps, {before[0][0]:.0f} s without, {before[1][0]:.0f} s with it")
    for seconds in ("s", "processor_s"):
        both = table[[f"plain_{seconds}", f"monitored_{seconds}"]].to_numpy().T
        overhead, low, high = overheads(*both)
        print(f"overhead in {seconds}: {overhead:.1f} % (95 % interval {low:.1f} … {high:.1f} %)")
    print(f"{rows[-1][-1]} measurements, which took {watched.monitor.seconds[1]:.1f} s")
    print(f"same bits: {plain.bits() == watched.bits()}")


if __name__ == "__main__":
    typer.run(main)
