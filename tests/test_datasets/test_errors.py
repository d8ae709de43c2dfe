import pickle
from pathlib import Path

from posestructs.datasets.errors import AnnotationError, BadImageError


def test_messages_name_file_value_and_what_is_allowed():
    error = AnnotationError(Path('a/joints.mat'), "key 'joints' has shape (3, 3)", '(3, 14, 2000)')
    assert str(error) == "a/joints.mat: key 'joints' has shape (3, 3), allowed: (3, 14, 2000)"
    assert str(BadImageError('im.jpg', 'is truncated')) == 'im.jpg: is truncated'
    assert isinstance(error, ValueError) and isinstance(BadImageError('a', 'b'), OSError)


def test_errors_cross_a_process_boundary():
    for error in (AnnotationError('f', 'w', 'a'), BadImageError('p', 'r')):
        other = pickle.loads(pickle.dumps(error))
        assert type(other) is type(error) and str(other) == str(error) and vars(other) == vars(error)
        assert str(type(error)('as torch rebuilds it')) == 'as torch rebuilds it'
