"""Files about the project say the same of it."""

import re

import yaml

from posestructs import __version__
from tests.helpers import repo_root

ROOT = repo_root()


def test_version_and_licence_are_the_same_everywhere():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == __version__
    assert citation['license'] == 'Apache-2.0'
    assert "license='Apache-2.0'" in (ROOT / 'setup.py').read_text()
    licence = (ROOT / 'LICENSE').read_text()
    assert 'Apache License' in licence and 'Version 2.0, January 2004' in licence
    newest = re.search(r'^## (\S+)', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)
    assert newest[1] == __version__


def test_papers_are_those_of_the_metafiles():
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['references']
    for name in ('structured_feature', 'adversarial_posenet'):
        meta = yaml.safe_load((ROOT / 'configs' / name / 'metafile.yml').read_text())
        paper = meta['Collections'][0]['Paper']
        assert [reference['url'] for reference in cited if reference['title'] == paper['Title']] == [paper['URL']]
    assert len(cited) == 2
