"""What discriminators made of a run's maps, and what that weighed in the generator's loss, from the run's own log."""

from __future__ import annotations

from pathlib import Path

from posestructs.utils.run_logs import find_logs, read_curves

NETWORKS = ('pose', 'confidence')
SEEN = ('score_real', 'score_fake', 'acc_real', 'acc_fake', 'share_right')


def verdicts(folder: Path, share: float = 0.2) -> dict[str, float]:
    """Means over the last part of a training.

    Args:
        folder: Of the run.
        share: Of its logged rows, from the end.

    Returns:
        dict[str, float]: For each discriminator, ``pose.`` or ``confidence.``: ``score_real`` and ``score_fake``, the
        mean verdict on joints of true and of predicted maps; ``acc_real`` and ``acc_fake``, the share of them that it
        had right; ``share_right``, how many predicted joints had the label 1; ``of_loss``, how much of the generator's
        loss its term was, in size. Empty without discriminators.
    """
    curves = read_curves(find_logs(folder))
    last = {
        key: float(curve.values[-max(1, round(share * len(curve.values))) :].mean()) for key, curve in curves.items()
    }
    found = {f'{name}.{key}': last[f'{name}.{key}'] for name in NETWORKS for key in SEEN if f'{name}.{key}' in last}
    for name in NETWORKS:
        if f'loss_adv_{name}' in last:
            found[f'{name}.of_loss'] = abs(last[f'loss_adv_{name}']) / abs(last['loss'])
    return {key: round(value, 5) for key, value in found.items()}
