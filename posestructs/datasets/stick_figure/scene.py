"""One synthetic image: its options, one figure in it, and the ground truth of every joint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from posestructs.datasets.stick_figure import labels
from posestructs.datasets.stick_figure.appearance import sample_appearance
from posestructs.datasets.stick_figure.background import (
    cut,
    grain,
    paint_background,
    patterns,
    sketch_clutter,
    sketch_seat,
)
from posestructs.datasets.stick_figure.body import draw_person
from posestructs.datasets.stick_figure.distractors import Lookalike, draw_lookalikes, draw_occluders
from posestructs.datasets.stick_figure.exact import RandomStream, image_streams
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.poses import ACTIVITIES, Pose, sample_pose
from posestructs.datasets.stick_figure.skeleton import JOINTS, fit_view, pose_body, sample_proportions
from posestructs.datasets.stick_figure.sketch import FREE, Sketch
from posestructs.utils.checks import check_integer, check_number, invalid_value

SMALLEST_SIZE = 32  # pixels: below, a forearm is thinner than a pixel
LARGEST_SIZE = 4096


@dataclass(frozen=True)
class SceneOptions:
    """Options that set the difficulty of the images.

    Args:
        occluder_prob: Probability of one or two occluders in front of the figure.
        lookalike_prob: Probability of one to three look-alike limbs in the background.
        crop_prob: Probability of a view so close that joints can lie outside the image.
        max_rotation: Largest rotation in the image plane beyond that of the pose, in degrees either way; 0 to 180.
        scale: Smallest and largest share of the image that the figure spans, in the tighter direction.
        activities: Kinds of pose, keys of :data:`posestructs.datasets.stick_figure.poses.ACTIVITIES`; by default all.
        max_yaw: Largest turn of the figure away from the camera, in degrees; 0 to 180.

    Raises:
        ValueError: A value of the wrong type or out of range.
    """

    occluder_prob: float = 0.4
    lookalike_prob: float = 0.6
    crop_prob: float = 0.08
    max_rotation: float = 0.0
    scale: tuple[float, float] = (0.62, 0.96)
    activities: tuple[str, ...] | None = None
    max_yaw: float = 180.0

    def __post_init__(self) -> None:
        for key in ('occluder_prob', 'lookalike_prob', 'crop_prob'):
            check_number(key, getattr(self, key), 0, 1)
        check_number('max_rotation', self.max_rotation, 0, 180)
        check_number('max_yaw', self.max_yaw, 0, 180)
        if self.activities is not None:
            object.__setattr__(self, 'activities', _check_activities(self.activities))
        if not isinstance(self.scale, (tuple, list)) or len(self.scale) != 2:
            raise invalid_value('scale', self.scale, 'a pair (smallest, largest)')
        low, high = self.scale
        check_number('scale[0]', low, 0.1, 1)
        check_number('scale[1]', high, low, 1)
        object.__setattr__(self, 'scale', (float(low), float(high)))


def _check_activities(names: Sequence[str]) -> tuple[str, ...]:
    """Names of activities as a tuple.

    Raises:
        ValueError: None, or one that does not exist; names the key.
    """
    known = isinstance(names, (tuple, list)) and all(isinstance(name, str) and name in ACTIVITIES for name in names)
    if not known or not names or len(set(names)) < len(names):
        raise invalid_value('activities', names, f'different ones of {list(ACTIVITIES)}')
    return tuple(names)


def as_image_size(key: str, size: int | tuple[int, int]) -> tuple[int, int]:
    """Bring an image size into the form (width, height).

    Args:
        key: Name of the argument, for errors.
        size: Width and height in pixels, or one number for a square.

    Returns:
        tuple[int, int]: Width and height.

    Raises:
        ValueError: It is not one or two integers from 32 to 4096.
    """
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise invalid_value(key, size, 'an integer or (width, height)')
    for side in sides:
        check_integer(key, side, SMALLEST_SIZE, LARGEST_SIZE)
    return int(sides[0]), int(sides[1])


# Purposes of the random streams of an image. Each has draws of its own: an option changes its subject and nothing else.
PURPOSES = ('person', 'look', 'view', 'background', 'lookalikes', 'occluders')
_PATTERN_TEXELS = 256  # of a pattern, across the longer side: stripes are as wide as the person is large


@dataclass(frozen=True)
class Scene:
    """An image and its labels. J is 16, the joints of ``JOINTS``; coordinates are image pixels, 0-based.

    Attributes:
        image: Blue, green, red, uint8 (H, W, 3).
        keypoints: float32 (J, 2), also of joints outside the image.
        labelled: bool (J,): the joint lies in the image.
        occluded: bool (J,): labelled, and hidden by a nearer part of the body or by an occluder.
        bbox: Box around the person's flesh, hidden or not, within the image: x1, y1, x2, y2, float32 (4,).
        head_size: Reference length of PCKh: 0.6 times the diagonal of the box around the skull.
        canvas: Palette index of each canvas pixel, uint8 (2H, 2W); 0 is the bare background.
        owner_table: Owner of each palette index, uint8 (256,), see ``parts``.
        lookalikes: Limbs in the background; their coordinates are canvas pixels.
        pose: Angles of the body and the view.
        pen: The posed body, its camera and its clothes.
    """

    image: np.ndarray
    keypoints: np.ndarray
    labelled: np.ndarray
    occluded: np.ndarray
    bbox: np.ndarray
    head_size: float
    canvas: np.ndarray
    owner_table: np.ndarray
    lookalikes: tuple[Lookalike, ...]
    pose: Pose
    pen: Pen

    @property
    def owners(self) -> np.ndarray:
        """Owner of each canvas pixel, uint8 (2H, 2W): a body part, an occluder, a look-alike, or the background."""
        return self.owner_table[self.canvas]


def draw_scene(seed: int, index: int, size: tuple[int, int] = (128, 128), options: SceneOptions | None = None) -> Scene:
    """Render the image that belongs to a seed and an index.

    Args:
        seed: Seed of the stream of images, 0 .. 2**63 - 1.
        index: Index in the stream, 0 .. 2**32 - 1.
        size: Width and height in pixels.
        options: Options that set the difficulty. Default: ``SceneOptions()``.

    Returns:
        Scene: The same for the same arguments, on every machine.

    Raises:
        ValueError: A seed, index or size is not an integer, or out of range.
    """
    check_integer('seed', seed, 0, 2**63 - 1)
    check_integer('index', index, 0, 2**32 - 1)
    size, options = as_image_size('size', size), options or SceneOptions()
    streams = dict(zip(PURPOSES, image_streams(seed, index, len(PURPOSES)), strict=True))
    canvas_size = (size[0] * labels.OVERSAMPLING, size[1] * labels.OVERSAMPLING)
    pose, pen = cast_person(streams, canvas_size, options)
    lookalikes = _sketch_all(streams, pen, pose, canvas_size, options)
    canvas = np.zeros(canvas_size[::-1], np.uint8)
    pen.sketch.paint(canvas)
    owner_table = pen.sketch.owners()
    joints = labels.locate_joints(pen)
    inside = labels.joints_inside(joints, size)
    return Scene(
        image=_develop(streams['background'], pen.sketch, canvas, size),
        keypoints=labels.to_image(joints).astype(np.float32),
        labelled=inside,
        occluded=labels.joints_hidden(pen, joints, inside, owner_table, canvas),
        bbox=labels.body_box(pen, size),
        head_size=labels.head_size(pen),
        canvas=canvas,
        owner_table=owner_table,
        lookalikes=tuple(lookalikes),
        pose=pose,
        pen=pen,
    )


def cast_person(
    streams: dict[str, RandomStream], canvas_size: tuple[int, int], options: SceneOptions
) -> tuple[Pose, Pen]:
    """Draw a person's pose, build, clothes and place, but no pixel yet.

    Args:
        streams: One stream each for 'person', 'view' and 'look'.
        canvas_size: Width and height of the canvas.
        options: Size and rotation of the figure.

    Returns:
        tuple: The pose, and a pen with an empty sketch.
    """
    pose = sample_pose(streams['person'], options.max_rotation, options.activities, options.max_yaw)
    proportions = sample_proportions(streams['person'])
    body = pose_body(pose.angles, proportions, pose.root())
    view = fit_view(streams['view'], body.points, canvas_size, options.scale, options.crop_prob)
    look = sample_appearance(streams['look'])
    light = (0.6 * streams['look'].sign(), -0.8)
    return pose, Pen(Sketch(), body, view, look, proportions.girth, light)


def _sketch_all(
    streams: dict[str, RandomStream], pen: Pen, pose: Pose, canvas_size: tuple[int, int], options: SceneOptions
) -> list[Lookalike]:
    """Sketch everything from the back to the front."""
    sketch_clutter(streams['background'], pen.sketch, canvas_size)
    if pose.activity == 'sit' and streams['background'].chance(0.7):
        sketch_seat(streams['background'], pen)
    lookalikes = []
    if streams['lookalikes'].chance(options.lookalike_prob):
        lookalikes = draw_lookalikes(streams['lookalikes'], pen, canvas_size)
    draw_person(pen)
    if streams['occluders'].chance(options.occluder_prob):
        joints = [pen.seen[name] for name in JOINTS]
        draw_occluders(streams['occluders'], pen.sketch, joints, canvas_size)
    return lookalikes


def _develop(rng: RandomStream, sketch: Sketch, canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Colour the canvas, lay it on a background, shrink it to the image, add film grain."""
    height, width = canvas.shape
    image = paint_background(rng, size)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    pattern = cut(rng, rng.pick(patterns()), (width, height), _PATTERN_TEXELS, smooth=False)
    colours = cv2.applyColorMap(cv2.bitwise_or(canvas, pattern), sketch.palette())
    cv2.copyTo(colours, cv2.compare(canvas, FREE, cv2.CMP_NE), image)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.add(image, cut(rng, grain(), size, max(size), smooth=False))
