"""What a run's resolved settings hold: all that its training depends on, and nothing else.

`netdyn.plan.settings` resolves them, once. They travel as JSON, and their digest names the run.
config.yaml says what each value means.
"""

from typing import Literal, TypedDict

__all__ = ["RunSettings", "Schedule"]


class Schedule(TypedDict):
    """The steps at which something is recorded; see `netdyn.training.schedules`."""

    every_step_until: int
    per_decade: int


class RunSettings(TypedDict):
    """The resolved settings of one run: no "all", no epochs, one width for each hidden layer."""

    format: int  # of these settings; part of the run's hash
    dataset: str  # digits, mnist, fashion_mnist or kmnist
    translated: bool  # whether it is the 17 times larger set
    samples: int  # P, training samples
    seed: int
    threads: int  # of the processor
    depth: int  # L, weight layers
    width: list[int]  # N_1 … N_{L−1}
    activation: Literal["relu", "tanh", "identity", "gaussian"]
    batch_norm: bool
    momentum: float  # α of Eq. 3
    initial_scale: float  # factor on the initial weights and biases
    initial_range: float | Literal["fan_in"]  # r of U(−r, r)
    loss: Literal["cross_entropy", "mse"]
    optimizer: Literal["sgd", "adam", "adamw"]
    learning_rate: float
    weight_decay: float
    batch_size: int | Literal["full"]
    steps: int  # optimizer steps
    precision: Literal["float32", "tf32", "float64", "bfloat16"]
    evaluate: Schedule
    snapshots: Schedule
