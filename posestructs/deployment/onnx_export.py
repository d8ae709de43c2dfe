"""A network as an ONNX file: one graph for any batch, with its description inside.

The graph comes from torch.export (``dynamo=True``). torch's older exporter, a tracer, is faster and gives the same
maps, but is to be removed. Either can write a graph that holds for one batch only: whether it does is looked up in the
graph, and :func:`differences` runs it on others.

Shapes: N images, C maps, H x W cells.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

try:
    import onnx
    import onnxruntime
except ImportError as error:
    raise ImportError(f'{error}; to export: pip install onnx onnxscript onnxruntime') from error

INPUT, OUTPUT = 'images', 'maps'
KEY = 'posestructs'
"""Under this key the file's metadata has the description, as json."""
OPSET = 18


class Difference(NamedTuple):
    """Between torch and onnxruntime for one batch: size of the batch, largest difference, largest value of torch's."""

    batch: int
    largest: float
    scale: float


def export_network(network: nn.Module, size: Sequence[int], description: dict[str, Any]) -> bytes:
    """Export a network.

    Args:
        network: Takes (N, 3, h, w); in evaluation mode.
        size: (w, h) of its input.
        description: Plain values, kept in the file.

    Returns:
        bytes: The file's content.

    Raises:
        torch.onnx.OnnxExporterError: torch cannot export it.
        ValueError: Its graph is for one size of batch only.
    """
    # not of one image: torch.export takes a size of 1 for a constant
    images = torch.zeros(2, 3, size[1], size[0])
    with torch.no_grad():
        network(images)  # what is wrong with it is better told by itself than by the exporter
    with _quiet():
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim('batch')},),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    batches = [value.type.tensor_type.shape.dim[0] for value in (*model.graph.input, *model.graph.output)]
    if not all(batch.dim_param for batch in batches):
        raise ValueError(f'the graph of {type(network).__name__} is for batches of {batches[0].dim_value} images only')
    _forget_sources(model.graph)
    onnx.helper.set_model_props(model, {KEY: json.dumps(description)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _forget_sources(graph: onnx.GraphProto) -> None:
    """Drop what only debugging needs: lines and paths of the code that each node comes from, most of a small file."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ''
    del graph.metadata_props[:]
    del graph.value_info[:]


@contextmanager
def _quiet() -> Any:
    """Without words on torchvision's operators, which no network here has, and on torch's own use of itself."""
    logger = logging.getLogger('torch.onnx._internal.exporter._registration')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', category=FutureWarning)
            warnings.filterwarnings('ignore', category=DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def open_session(data: bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open a file's content on the CPU.

    Args:
        data: Of :func:`export_network`.
        threads: By default onnxruntime's choice.

    Returns:
        onnxruntime.InferenceSession: Ready to run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])


@torch.no_grad()
def differences(network: nn.Module, data: bytes, size: Sequence[int], batches: Sequence[int]) -> list[Difference]:
    """Compare torch and onnxruntime on noise.

    Args:
        network: What was exported.
        data: Its file.
        size: (w, h) of its input.
        batches: Sizes of batches.

    Returns:
        list[Difference]: One a batch; a NaN on either side is an infinite difference.
    """
    session, generator, out = open_session(data), torch.Generator().manual_seed(0), []
    for batch in batches:
        images = torch.randn(batch, 3, size[1], size[0], generator=generator)
        expected = network(images).numpy()
        found = session.run([OUTPUT], {INPUT: images.numpy()})[0]
        if found.shape != expected.shape:
            raise ValueError(f'maps of {batch} images are {found.shape} in onnxruntime, {expected.shape} in torch')
        largest = float(np.nan_to_num(np.abs(found - expected), nan=np.inf).max())
        out.append(Difference(batch, largest, float(np.abs(expected).max())))
    return out
