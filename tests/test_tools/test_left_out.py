"""Images that were left out: the first by name, the others by number."""

from posestructs.deployment.onnx_pose.left_out import MOST, describe_left_out


def test_a_list_that_fits_on_the_screen():
    assert describe_left_out(['a.png: damaged'], 3) == '1 of 3 images were left out:\n  a.png: damaged'
    lines = describe_left_out([f'frame {i}' for i in range(40)], 90, 'frame').splitlines()
    assert lines[0] == '40 of 90 frames were left out:' and len(lines) == MOST + 2
    assert lines[MOST] == f'  frame {MOST - 1}' and lines[-1] == f'  and {40 - MOST} more'
    assert 'more' not in describe_left_out(['x'] * MOST, MOST)
