"""Export a network to ONNX: one graph for batches of any size, with its description inside.

The graph comes from torch.export (``dynamo=True``). torch's older exporter, a tracer, is faster and gives the same
maps, but is to be removed. Either can write a graph for one batch size only: the graph is checked for that, and
:func:`differences` runs it on others.

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

INPUT = 'images'
KEY = 'posestructs'
"""Key of the file's metadata under which the description is stored, as json."""
OPSET = 18


class Difference(NamedTuple):
    """Difference between torch and onnxruntime.

    Attributes:
        batch: Size of the batch.
        largest: Largest difference.
        scale: Largest value of torch.
    """

    batch: int
    largest: float
    scale: float


def export_network(network: nn.Module, size: Sequence[int], description: dict[str, Any]) -> bytes:
    """Export a network.

    Args:
        network: Network that takes (N, 3, h, w), in evaluation mode; its attribute ``outputs`` names its outputs.
        size: (w, h) of its input.
        description: Plain values, stored in the file.

    Returns:
        Content of the file.

    Raises:
        torch.onnx.OnnxExporterError: torch cannot export it.
        ValueError: Its graph is for one batch size only.
    """
    # two images, as torch.export takes a size of 1 for a constant
    images = torch.zeros(2, 3, size[1], size[0])
    with torch.no_grad():
        network(images)  # its own errors are clearer than those of the exporter
    with _quiet():
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(output_names(network)),
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
    """Remove debugging information: the lines and paths of code behind each node, most of a small file."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ''
    del graph.metadata_props[:]
    del graph.value_info[:]


@contextmanager
def _quiet() -> Any:
    """Silence warnings about torchvision's operators, which no network here has, and about torch's own code."""
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
    """Open the content of a file for inference on the CPU.

    Args:
        data: Result of :func:`export_network`.
        threads: Number of threads; by default onnxruntime's choice.

    Returns:
        The session.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])


def output_names(network: nn.Module) -> tuple[str, ...]:
    """Names of a network's outputs, maps first."""
    return getattr(network, 'outputs', ('maps',))


def as_arrays(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    """Outputs of a network, one or several, as arrays."""
    return [output.numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


@torch.no_grad()
def differences(network: nn.Module, data: bytes, size: Sequence[int], batches: Sequence[int]) -> list[Difference]:
    """Compare torch and onnxruntime on noise.

    Args:
        network: The network that was exported.
        data: Content of its file.
        size: (w, h) of its input.
        batches: Batch sizes.

    Returns:
        One difference for each batch; NaN on either side counts as an infinite one.
    """
    session, generator, out = open_session(data), torch.Generator().manual_seed(0), []
    for batch in batches:
        images = torch.randn(batch, 3, size[1], size[0], generator=generator)
        pairs = zip(
            output_names(network), as_arrays(network(images)), session.run(None, {INPUT: images.numpy()}), strict=True
        )
        largest, scale = 0.0, 0.0
        for name, expected, found in pairs:
            if found.shape != expected.shape:
                raise ValueError(f'{name} of {batch} images: {found.shape} in onnxruntime, {expected.shape} in torch')
            largest = max(largest, float(np.nan_to_num(np.abs(found - expected), nan=np.inf).max()))
            scale = max(scale, float(np.abs(expected).max()))
        out.append(Difference(batch, largest, scale))
    return out
