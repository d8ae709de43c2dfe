"""ONNX files of the forms in which YOLOX and RTMDet are exported, which find red squares of 8 pixels."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
STRIDES = (8, 16, 32)
NUM_ANCHORS = 64 + 16 + 4
RED = 2  # the networks take blue, green, red
FORMS = ('raw', 'decoded', 'boxes and scores', 'with nms', 'with nms, no labels')


def write_detector(path, form='raw', normalized=False, size=SIZE, num_classes=2, person=0):
    """Write a detector whose score is the mean of red in a cell, from 0 to 1.

    Its boxes have the centre of the cell and twice its size. With ``normalized`` it expects RTMDet's input.
    """
    nodes, constants = [], []

    def add(kind, *inputs, **attributes):
        names = []
        for value in inputs:
            if not isinstance(value, str):
                constants.append(numpy_helper.from_array(np.asarray(value), f'c{len(constants)}'))
                value = constants[-1].name
            names.append(value)
        outputs = [f'{kind}{len(nodes)}_{i}' for i in range(2 if kind == 'TopK' else 1)]
        nodes.append(helper.make_node(kind, names, outputs, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    i64, f32 = (lambda *values: np.array(values, np.int64)), np.float32
    red = add('Slice', 'image', i64(RED), i64(RED + 1), i64(1))
    scale, shift = (58.395, 123.675) if normalized else (1, 0)
    red = add('Add', add('Mul', red, f32(scale / 255)), f32(shift / 255))
    pooled = [add('AveragePool', red, kernel_shape=[s, s], strides=[s, s]) for s in STRIDES]
    scores = add('Concat', *[add('Reshape', one, i64(1, -1, 1)) for one in pooled], axis=1)
    # offset 1/2 of a cell, and the logarithm of 2 cells
    raw = np.tile(np.array([0.5, 0.5, np.log(2), np.log(2)], f32), (1, NUM_ANCHORS, 1))
    grid = np.concatenate([[(x, y) for y in range(SIZE // s) for x in range(SIZE // s)] for s in STRIDES])
    stride = np.repeat(STRIDES, [64, 16, 4])[:, None]
    centres, sizes = (grid + 0.5) * stride, 2 * stride * np.ones((1, 2))
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)[None].astype(f32)
    ones = np.eye(num_classes, dtype=f32)[person].reshape(1, 1, -1)
    if form in ('raw', 'decoded'):
        boxes = raw if form == 'raw' else np.concatenate([centres, sizes], 1)[None].astype(f32)
        classes = np.tile(ones, (1, NUM_ANCHORS, 1))
        outputs = [add('Concat', boxes, scores, classes, axis=2)]
    elif form == 'boxes and scores':
        outputs = [add('Identity', corners), add('Mul', scores, ones)]
    else:
        _, order = add('TopK', add('Reshape', scores, i64(-1)), i64(10))
        chosen = [add('Gather', one, order, axis=1) for one in (corners, scores)]
        outputs = [add('Concat', *chosen, axis=2)]
        if form == 'with nms':
            outputs.append(add('Expand', np.full((1, 1), person, np.int64), i64(1, 10)))
    kinds = [TensorProto.FLOAT, TensorProto.INT64 if form == 'with nms' else TensorProto.FLOAT]
    graph = helper.make_graph(
        nodes,
        'detector',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, (1, 3, size, size))],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(outputs, kinds, strict=False)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def red_squares():
    """(64, 128, 3) red, green, blue: half of the detector's scale, with two red squares and a blue one.

    In the input they cover the cells (x 5, y 1) and (1, 2) of 8 pixels.
    """
    image = np.zeros((64, 128, 3), np.uint8)
    image[16:32, 80:96, 0] = 255
    image[32:48, 16:32, 0] = 204
    image[32:48, 64:80, 2] = 255
    return image


# by hand: ratio 64 / 128; centres 44, 12 and 12, 20 in the input and sizes 16, doubled in the image
SQUARES = [[72, 8, 104, 40, 1.0], [8, 24, 40, 56, 0.8]]
