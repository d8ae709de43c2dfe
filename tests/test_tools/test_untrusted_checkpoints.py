"""A server's checkpoint that would run code is refused by every tool that takes a checkpoint, and never runs."""

import pytest
import torch

from tests.helpers import needs_data, repo_root
from tests.helpers.untrusted import Payload, serve

pytestmark = needs_data


@pytest.fixture(scope='module')
def served(tmp_path_factory):
    """The address of a checkpoint that creates the folder `executed`, and that folder."""
    folder = tmp_path_factory.mktemp('served')
    content = dict(meta=dict(epoch=1), message_hub={}, state_dict=dict(w=Payload(folder / 'executed')))
    torch.save(content, folder / 'payload.pth')
    with serve(folder) as address:
        yield f'{address}/payload.pth', folder / 'executed'


IMAGE = str(repo_root() / 'demo' / 'images' / 'skier.jpg')
COMMANDS = {
    'train --resume': ['train.py', 'TINY', '--resume', 'URL'],
    'train load_from': ['train.py', 'TINY', '--cfg-options', 'load_from=URL'],
    'train init_cfg': ['train.py', 'PRETRAINED'],
    'test': ['test.py', 'TINY', 'URL'],
    'inference': ['../demo/inference.py', IMAGE, '--config', 'TINY', '--checkpoint', 'URL'],
    'export_onnx': ['deployment/export_onnx.py', 'TINY', 'URL', '--out', 'a.onnx'],
    'latency': ['deployment/latency.py', 'TINY', 'URL'],
    'show_heatmaps': ['analysis/show_heatmaps.py', 'TINY', 'URL'],
    'diagnose_discriminators': ['analysis/diagnose_discriminators.py', 'TINY', 'URL'],
    'show_messages': ['analysis/show_messages.py', 'TINY', 'URL', '--image', IMAGE],
    'test of a file': ['test.py', 'TINY', 'FILE'],
    'publish_model': ['misc/publish_model.py', 'TINY', 'FILE', '--out', 'a.pth', '--command', 'c', '--data', 'd'],
    'strip_discriminators': ['misc/strip_discriminators.py', 'FILE', '--out', 'a.pth'],
}  # fmt: skip


@pytest.fixture
def words(served, tiny, tmp_path, monkeypatch):
    """The words of a command, run in a folder of its own and with its own cache of downloads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))

    def words(name, address=served[0]):
        init_cfg = dict(type='Pretrained', checkpoint=address)
        pretrained = tmp_path / 'pretrained.py'
        pretrained.write_text(f"_base_ = ['{tiny}']\nmodel = dict(backbone=dict(init_cfg={init_cfg}))\n")
        file = served[1].parent / 'payload.pth'
        named = dict(TINY=tiny, PRETRAINED=pretrained, FILE=file)
        return [str(named.get(word, word)).replace('URL', address) for word in COMMANDS[name]]

    return words


@pytest.mark.parametrize('name', COMMANDS)
def test_a_payload_is_refused_unrun(name, words, served, main, tmp_path):
    with pytest.raises(SystemExit, match='error: .*can run code.*was not loaded') as stopped:
        main(*words(name))
    assert not served[1].exists()
    assert '\n' not in str(stopped.value) and not list(tmp_path.rglob('*.partial'))


@pytest.mark.parametrize('name', [name for name, words in COMMANDS.items() if 'FILE' not in words])
def test_trust_in_local_files_does_not_reach_an_address(name, words, served, main, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    for _ in range(2):  # from the server, and from the cache
        with pytest.raises(SystemExit, match='error: .*can run code.*was not loaded; .* download it and load the file'):
            main(*words(name))
        assert not served[1].exists()


@pytest.mark.parametrize('name', ['test', 'inference'])
def test_a_web_page_is_named_and_not_kept(name, words, served, main, tmp_path):
    (served[1].parent / 'page.pth').write_text('\n<!DOCTYPE html>\n<html>sign in</html>')
    with pytest.raises(SystemExit, match=r'error: .*page.pth: it is a web page, not a checkpoint$'):
        main(*words(name, served[0].replace('payload', 'page')))
    assert not list((tmp_path / 'cache').rglob('*.pth'))


@pytest.mark.parametrize(
    'address, why',
    [
        ('ftp://127.0.0.1/a.pth', 'scheme ftp:// cannot be read, allowed: a file, file://, http://, https://, '),
        ('HTTP://127.0.0.1/a.pth', 'scheme HTTP:// cannot be read'),
        ('open-mmlab://nope', 'no model of this name is known'),
        ('s3://a/b.pth', 'petrel_client'),
    ],
)
def test_an_address_that_no_loader_reads_is_one_line(address, why, words, main):
    with pytest.raises(SystemExit, match=f'error: .*checkpoint {address}: .*{why}') as stopped:
        main(*words('test', address))
    assert '\n' not in str(stopped.value) and str(stopped.value).count(address) == 1


@pytest.mark.parametrize('name', ['test', 'inference', 'train --resume', 'train init_cfg'])
def test_an_address_that_is_gone_is_a_network_failure(name, words, served, main):
    with pytest.raises(SystemExit, match='error: .*gone.pth.* could not be downloaded: HTTP 404') as stopped:
        main(*words(name, served[0].replace('payload', 'gone')))
    assert '\n' not in str(stopped.value)
