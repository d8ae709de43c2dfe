"""Serve a local web page that predicts poses: ``python demo/web.py [flags]``.

Drop an image and draw boxes around the persons: the page shows the skeletons with occluded joints hollow, heatmaps,
occlusion maps, messages between neighbouring parts, and the joints as a table and json. It needs gradio, from the
extra ``demo``: ``pip install ".[demo]"``. The page is visible on this machine only, nothing leaves it, and uploads are
deleted at the end.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

# a checkout works without installation, and the files beside this one are found however it is run
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from uploads import Limits

from posestructs.apis import PoseInferencer, shipped_models
from posestructs.utils.usage import UsageError, report_usage_errors

_LONGEST_LABEL = 45  # characters that the field shows


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Serve a local web page: drop an image, see the pose.')
    pairs = dict(action='append', default=[], metavar='FILE')
    parser.add_argument('--config', **pairs, help='config of a further model to choose from; may be repeated')
    parser.add_argument('--checkpoint', **pairs, help='its checkpoint, once for each --config')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    parser.add_argument('--det-model', help='ONNX file of YOLOX or RTMDet, which finds persons where no box is drawn')
    parser.add_argument('--port', type=int, help='default: the first free one from 7860')
    parser.add_argument(
        '--kpt-thr',
        type=float,
        default=0.3,
        help='initial value: least probability of a joint (score, without a calibration) that is drawn',
    )
    parser.add_argument('--max-mb', type=float, default=Limits().megabytes, help='largest file; default: %(default)s')
    parser.add_argument(
        '--max-megapixels', type=float, default=Limits().megapixels, help='largest image; default: %(default)s'
    )
    return parser.parse_args()


class Models:
    """Models to choose from; each is built when it is first used.

    Args:
        args: Parsed command line. Its models are built at once and come first.

    Attributes:
        about: Description by name.
        labels: Readable name by name.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.about: dict[str, str] = {}
        self._settings, self._lock = dict(device=args.device, det_model=args.det_model), threading.Lock()
        self._built: dict[str, PoseInferencer] = {}
        if len(args.config) != len(args.checkpoint):
            raise UsageError(
                f'{len(args.config)} --config and {len(args.checkpoint)} --checkpoint: give both for each model, or '
                'neither for the shipped models'
            )
        for config, checkpoint in zip(args.config, args.checkpoint, strict=True):
            name = Path(config).stem
            name = f'{name}, {checkpoint}' if name in self.about else name
            self.about[name] = f'{config} with {checkpoint}'
            self._built[name] = PoseInferencer(config, checkpoint, **self._settings)
        self.labels = {name: name for name in self.about}
        for name, model in shipped_models().items():
            self.about.setdefault(name, model.about)
            self.labels.setdefault(name, self._label(name, model.about))
        if not self.about:
            raise UsageError('no trained model is shipped with this copy: give --config and --checkpoint')

    def _label(self, name: str, about: str) -> str:
        """Readable name of a shipped model: the first clauses of its description, unless another one has the same."""
        clauses = about.partition(':')[0].strip().split(', ')
        while len(clauses) > 1 and len(', '.join(clauses)) > _LONGEST_LABEL:
            clauses.pop()
        label = ', '.join(clauses) or name
        return f'{label} ({name})' if label in self.labels.values() else label

    def __getitem__(self, name: str) -> PoseInferencer:
        with self._lock:  # several visitors may request it at once
            if name not in self._built:
                self._built[name] = PoseInferencer(name, **self._settings)
            return self._built[name]


def check_numbers(args: argparse.Namespace) -> None:
    """Refuse numbers out of range."""
    for flag, value in (('--max-mb', args.max_mb), ('--max-megapixels', args.max_megapixels)):
        if not value > 0:
            raise UsageError(f'{flag} {value:g}, allowed: above 0')
    if not 0 <= args.kpt_thr <= 1:
        raise UsageError(f'--kpt-thr {args.kpt_thr:g}: allowed are 0 to 1')
    if args.port is not None and not 1 <= args.port <= 65535:
        raise UsageError(f'--port {args.port}: allowed are 1 to 65535')


def _stop(*_: object) -> None:
    """End the program with its cleanup, which further signals do not interrupt."""
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sys.exit(0)


@report_usage_errors
def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    check_numbers(args)
    try:
        import web_layout  # the only file that needs gradio
    except ImportError as error:
        if not (error.name or '').startswith('gradio'):
            raise
        raise UsageError(
            f'the page needs gradio, which cannot be imported ({error}): pip install ".[demo]" in the folder of '
            'posestructs brings it'
        ) from error
    models, limits = Models(args), Limits(args.max_mb, args.max_megapixels)
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):  # by default the last two would leave the folder of uploads behind
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    with tempfile.TemporaryDirectory(prefix='posestructs-web-') as folder:
        os.environ['GRADIO_TEMP_DIR'] = folder
        page = web_layout.build_page(models, limits, args.kpt_thr)
        with web_layout.serving(page, limits, args.port) as address:
            sys.stdout.write(f'posestructs: {address} (stop with Ctrl+C)\n')
            sys.stdout.flush()
            signal.pause()


if __name__ == '__main__':
    main()
