"""Choice of the checkpoint from which a run is resumed."""

import os
import re
import shutil
import zipfile

import pytest
import torch

from posestructs.utils.checkpoints import damage, last_good_checkpoint, read_meta, why_not_resumable


class Odd:
    """Object that torch refuses to load by default."""


def save(path, age=0, **content):
    """A checkpoint of `age` seconds ago."""
    whole = dict(state_dict=dict(w=torch.arange(5000.0)), meta=dict(epoch=1, iter=3, seed=9), message_hub={}) | content
    torch.save(whole, path)
    os.utime(path, (10**9 - age, 10**9 - age))
    return path


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])
    return path


def test_whole_files_have_no_damage(tmp_path):
    assert damage(save(tmp_path / 'a.pth')) is None
    assert damage(save(tmp_path / 'odd.pth', extra=Odd())) is None  # whole, though unsafe
    torch.save(dict(w=torch.ones(3)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert damage(tmp_path / 'old.pth') is None


@pytest.mark.parametrize('size', [0, 1, 100, 10_000, 'all but one'])
def test_truncated_at_any_length(size, tmp_path):
    path = save(tmp_path / 'a.pth')
    problem = damage(cut(path, path.stat().st_size - 1 if size == 'all but one' else size))
    assert problem and '\n' not in problem


def test_one_flipped_bit_in_the_weights(tmp_path):
    path = save(tmp_path / 'a.pth')
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    torch.load(path, weights_only=True)  # torch itself notices nothing
    assert 'is damaged' in damage(path)


def test_other_files_are_no_checkpoints(tmp_path):
    (tmp_path / 'a.txt').write_text('hello')
    assert 'not a checkpoint' in damage(tmp_path / 'a.txt')
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr('a.txt', 'hello')
    assert 'not a checkpoint' in damage(tmp_path / 'a.zip')
    torch.save([1, 2], tmp_path / 'list.pth')
    assert why_not_resumable(tmp_path / 'list.pth').startswith('it holds no meta')


def test_weights_alone_cannot_be_resumed(tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'w.pth')
    assert why_not_resumable(tmp_path / 'w.pth') == (
        'it holds no meta and no message_hub, only weights to start from (load_from)'
    )
    assert why_not_resumable(save(tmp_path / 'a.pth')) is None
    assert 'can run code' in why_not_resumable(save(tmp_path / 'odd.pth', extra=Odd()))


GROUP = dict(lr=0.1, params=[0])


@pytest.mark.parametrize(
    'content, reason',
    [
        (dict(meta='x'), "meta='x', allowed: a dict"),
        (dict(meta=dict(epoch='1', iter=3)), "meta.epoch='1', allowed: an integer of at least 0"),
        (dict(meta=dict(epoch=1)), 'meta.iter=None'),
        (dict(meta=dict(epoch=1, iter=3, seed='x')), "meta.seed='x'"),
        (dict(message_hub=[1]), 'message_hub is a list'),
        (dict(optimizer=None), 'optimizer is a NoneType, allowed: a dict'),
        (dict(optimizer=dict(param_groups=[3])), 'optimizer.param_groups are not a list of dicts'),
        (dict(optimizer=dict(param_groups=[GROUP, dict(lr='a')])), r"optimizer.param_groups\[1\].lr='a'"),
        (dict(optimizer=dict(param_groups=[dict(lr=float('nan'))])), r'optimizer.param_groups\[0\].lr=nan'),
        (dict(optimizer=dict(pose=dict(state={}))), 'optimizer.pose has no param_groups'),
    ],
)
def test_damaged_states_cannot_be_resumed(content, reason, tmp_path):
    assert re.match(f'it cannot be resumed: {reason}', why_not_resumable(save(tmp_path / 'a.pth', **content)))


def test_optimizers_of_several_networks(tmp_path):
    networks = dict(pose=dict(param_groups=[GROUP]), generator=dict(param_groups=[GROUP]))
    assert why_not_resumable(save(tmp_path / 'a.pth', optimizer=networks)) is None


def test_meta(tmp_path):
    assert read_meta(save(tmp_path / 'a.pth')) == dict(epoch=1, iter=3, seed=9)
    torch.save(dict(w=torch.ones(1)), tmp_path / 'weights.pth')
    assert read_meta(tmp_path / 'weights.pth') == {}


def meta(number):
    return dict(meta=dict(epoch=number, iter=number * 3, seed=9))


def test_pointer_comes_first_then_the_most_iterations(tmp_path):
    # written in another order, as by a run that was started anew in the folder or a copy without times
    epoch = {n: save(tmp_path / f'epoch_{n}.pth', age=n, **meta(n)) for n in (8, 9, 10)}
    save(tmp_path / 'best_PCK_epoch_10.pth', **meta(10))
    assert last_good_checkpoint(tmp_path) == (epoch[10], [])
    (tmp_path / 'last_checkpoint').write_text(str(epoch[8]))
    assert last_good_checkpoint(tmp_path) == (epoch[8], [])
    cut(epoch[8], 50)
    cut(epoch[10], 0)
    found, notes = last_good_checkpoint(tmp_path)
    assert found == epoch[9]
    assert [note.split(' is skipped: ')[0] for note in notes] == [f'checkpoint {epoch[n]}' for n in (8, 10)]


def test_epochs_and_iterations_are_compared(tmp_path):
    save(tmp_path / 'epoch_9.pth', meta=dict(epoch=9, iter=90))
    newer = save(tmp_path / 'iter_95.pth', age=50, meta=dict(epoch=9, iter=95))
    assert last_good_checkpoint(tmp_path) == (newer, [])


def test_pointer_into_another_folder(tmp_path):
    (tmp_path / 'out').mkdir()
    newer, older = (save(tmp_path / 'out' / f'iter_{n}.pth', **meta(n)) for n in (20, 10))
    (tmp_path / 'last_checkpoint').write_text(str(newer))
    assert last_good_checkpoint(tmp_path)[0] == newer
    cut(newer, 10)
    assert last_good_checkpoint(tmp_path)[0] == older


def test_a_copied_work_dir_stays_by_itself(tmp_path):
    first, copy = tmp_path / 'first', tmp_path / 'copy'
    first.mkdir()
    for number in (1, 2):
        save(first / f'epoch_{number}.pth', **meta(number))
    (first / 'last_checkpoint').write_text(str(first / 'epoch_2.pth'))
    shutil.copytree(first, copy)
    assert last_good_checkpoint(copy) == (copy / 'epoch_2.pth', [])
    (copy / 'epoch_2.pth').unlink()  # left out of the copy
    assert last_good_checkpoint(copy) == (copy / 'epoch_1.pth', [])


def test_nothing_and_nothing_good(tmp_path):
    assert last_good_checkpoint(tmp_path) == (None, [])
    assert last_good_checkpoint(tmp_path / 'absent') == (None, [])
    cut(save(tmp_path / 'epoch_1.pth'), 30)
    with pytest.raises(ValueError, match='no checkpoint in .* can be resumed: checkpoint .*epoch_1.pth is skipped'):
        last_good_checkpoint(tmp_path)
