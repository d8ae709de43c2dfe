"""Run ``mediapipe_pose.py`` in the environment that has MediaPipe, and keep what it finds."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peer_models.mediapipe_pose import CROP_SIDE
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError


class MediaPipe(NamedTuple):
    """How to run MediaPipe Pose.

    Attributes:
        python: Interpreter of the environment that has ``mediapipe``.
        models: Folder of the unpacked npm package ``@mediapipe/pose``, which holds lite and heavy.
        keep: Folder in which landmarks are kept, and from which those of the same persons are read again.
    """

    python: str
    models: Path | None
    keep: Path | None

    def find(self, persons: list[dict], variant: str, scale: float) -> dict[str, Any]:
        """Output of ``mediapipe_pose.py`` for persons with ``image`` and ``box``.

        Raises:
            UsageError: It failed, for example because there is no ``mediapipe``.
        """
        kept = self.keep / f'landmarks-{variant}-{scale}.json' if self.keep else None
        if kept and kept.is_file():
            content = json.loads(kept.read_text())
            if (content['persons'], content.get('crop_side')) == (persons, CROP_SIDE):
                return content
        script = Path(__file__).with_name('mediapipe_pose.py')
        with tempfile.TemporaryDirectory() as folder:
            asked, out = Path(folder) / 'persons.json', Path(folder) / 'landmarks.json'
            asked.write_text(json.dumps(persons))
            command = [self.python, str(script), str(asked), '--variant', variant, '--scale', str(scale)]
            command += ['--models', str(self.models)] if self.models else []
            try:
                status = subprocess.run([*command, '--out', str(out)]).returncode
            except OSError as error:
                raise UsageError(f'--mediapipe {self.python}: {error.strerror}') from error
            if status:
                raise UsageError(f'{" ".join(command)}: failed, see above')
            content = json.loads(out.read_text())
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(kept, (json.dumps(content) + '\n').encode())
        return content
