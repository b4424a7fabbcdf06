"""Sec. V.B, claims C41 to C47: grokking in a shallow network, 784-200-200-10 (Fig. 7).

Accuracies and projections; basins and RPD gradients over the course of training are in
`netdyn.claims.shallow_phases`.
"""

from netdyn.claims import shallow_phases
from netdyn.claims.curves import first_reaching
from netdyn.claims.grokking_course import averages, courses
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    each,
    format_mean,
    mean_spread,
    verdict,
)
from netdyn.claims.regions import moments
from netdyn.claims.tables import Tables
from netdyn.claims.values import measured

__all__ = ["CLAIMS"]


def c41(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The step of `test_accuracy` is at least `delay` times that of `train_accuracy`, each seed.

    A test accuracy that is never reached means no grokking; with a training accuracy that is never
    reached the claim is not tested.
    """
    verdicts, delays, details = [], [], []
    for course in courses(tables):
        learned = first_reaching(course.steps, course.train, row.thresholds["train_accuracy"])
        generalised = first_reaching(course.steps, course.test, row.thresholds["test_accuracy"])
        if learned is None:
            raise NotTested(
                f"the training accuracy stays below {row.thresholds['train_accuracy']:g}"
            )
        if generalised is None:
            verdicts.append(verdict(False))
            details.append(f"{learned:,} and never")
            continue
        delays.append(generalised / max(learned, 1))
        verdicts.append(verdict(at_least(delays[-1], row.thresholds["delay"])))
        details.append(f"{learned:,} and {generalised:,}")
    return Outcome(
        each(*verdicts),
        f"delay {format_mean(delays, ' ×', 1)}" if delays else "no delay: never reached",
        mean_spread(delays)[1] if delays else None,
        f"Training accuracy reaches {100 * row.thresholds['train_accuracy']:g} %, test accuracy "
        f"{100 * row.thresholds['test_accuracy']:g} % at steps {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c42(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Noisy samples are learned up to a threshold of the noise, and lost or not learned above it.

    In each seed: at some amplitude of at least `amplitude` the accuracy reaches `accuracy` at a
    kept step after the onset; and at a larger one its value at the last step is at least `decline`
    below its maximum over all kept steps, or that maximum is at most `never`.
    """
    trainings = list(courses(tables))
    noise = tables.get("grokking_noise", ["step", "of", "amplitude", "accuracy"])
    measured(noise["accuracy"])
    verdicts, summaries, details, judged = [], [], [], 0
    for course in trainings:
        rows = averages(noise, course)
        curves = rows.pivot_table(index="step", columns="amplitude", values="accuracy")
        amplitudes, highest, last = list(curves.columns), curves.max(), curves.iloc[-1]
        after = curves[curves.index >= course.onset].max()  # NaN where no step was kept
        learned = [
            a
            for a in amplitudes
            if at_least(a, row.thresholds["amplitude"])
            and at_least(after[a], row.thresholds["accuracy"])
        ]
        lost = [
            a
            for a in amplitudes
            if any(a > smaller for smaller in learned)
            and (
                at_least(highest[a] - last[a], row.thresholds["decline"])
                or at_most(highest[a], row.thresholds["never"])
            )
        ]
        verdicts.append(verdict(bool(learned and lost)))
        judged += len(amplitudes)
        summaries.append(
            f"learned at amplitudes {_listed(learned)}, lost or not at {_listed(lost)}"
        )
        details.append(
            ", ".join(
                f"{100 * highest[a]:.0f} → {100 * last[a]:.0f} % at {a:g}" for a in amplitudes
            )
        )
    return Outcome(
        each(*verdicts),
        "; ".join(summaries),
        None,
        f"Accuracy of noisy samples, highest → last, by amplitude: {'; '.join(details)}.",
        judged,
        0,
    )


def c47(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Test samples lie outside their class's training region before grokking, inside after."""
    view = {"split": "test", "mode": "evaluation"}
    training = {"split": "train", "mode": "evaluation"}
    stated = {"before": "outside", "after": "inside"}
    return moments(tables, "grokking", view, training, stated, row)


def _listed(amplitudes: list[float]) -> str:
    return ", ".join(f"{a:g}" for a in amplitudes) or "none"


CLAIMS = {"C41": c41, "C42": c42, "C47": c47, **shallow_phases.CLAIMS}
