import pytest

from posestructs.evaluation.joint_names import as_names, check_column, choose, find_joints

META = dict(dataset_name='dogs', keypoint_name2id={'nose': 0, 'tail': 1}, torso_pair=('nose', 'tail'))


def test_config_goes_before_metainfo():
    assert choose(META, 'torso_pair', None, 'M', '...') == ('nose', 'tail')
    assert choose(META, 'torso_pair', ('tail', 'nose'), 'M', '...') == ('tail', 'nose')
    with pytest.raises(
        ValueError, match=r"M: the metainfo of data set 'dogs' has no 'sticks'.*config, e.g. sticks=\[1\].*tail"
    ):
        choose(META, 'sticks', None, 'M', '[1]')


def test_find_joints():
    assert find_joints(['tail', 'nose'], META['keypoint_name2id'], 'M', 'k') == (1, 0)
    with pytest.raises(
        ValueError, match=r"M: k names \['paw'\], which the data set does not have; its joints: \['nose'"
    ):
        find_joints(['nose', 'paw'], META['keypoint_name2id'], 'M', 'k')


def test_as_names():
    assert as_names('a') == ('a',) and as_names(['a', 'b']) == ('a', 'b')
    assert as_names([]) is None and as_names(3) is None and as_names(['a', 3]) is None


@pytest.mark.parametrize('name', ['', 'a/b', 'joints', 'people_left_out', 3])
def test_columns_that_would_hide_other_keys(name):
    with pytest.raises(ValueError, match='M: joint_groups has a group'):
        check_column(name, 'M', 'joint_groups')
