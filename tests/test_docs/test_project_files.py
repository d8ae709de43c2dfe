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


def test_versions_of_python_are_the_same_everywhere():
    package = (ROOT / 'setup.py').read_text()
    first, after = map(int, re.search(r"python_requires='>=3\.(\d+),<3\.(\d+)'", package).groups())
    versions = [f'3.{minor}' for minor in range(first, after)]
    assert re.findall(r"'(3\.\d+)'", package[package.index('classifiers') : package.index("'Topic")]) == versions
    script = (ROOT / 'tools' / 'misc' / 'setup_env.py').read_text()
    allowed = re.search(r'^TESTED = (.*)$', script, re.MULTILINE)[1]
    assert re.findall(r'\((\d+), (\d+)\)', allowed) == [tuple(version.split('.')) for version in versions]
    phrase = f'Python {", ".join(versions[:-1])} or {versions[-1]}'
    for name in ('README.md', 'docs/install.md'):
        assert phrase in (ROOT / name).read_text(), name


def test_extras_are_pinned_where_they_are_tested():
    package = (ROOT / 'setup.py').read_text()
    extras = package[package.index('extras_require') :]
    files = [ROOT / 'requirements.txt', *(ROOT / 'requirements').glob('*.txt')]
    pinned = {name.lower() for file in files for name in re.findall(r'^([\w-]+)==', file.read_text(), re.MULTILINE)}
    asked = {name.lower() for group in re.findall(r'\[(.*?)\]', extras) for name in re.findall(r"'([\w-]+)", group)}
    assert len(asked) > 8 and asked <= pinned


def test_papers_are_those_of_the_metafiles():
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['references']
    for name in ('structured_feature', 'adversarial_posenet'):
        meta = yaml.safe_load((ROOT / 'configs' / name / 'metafile.yml').read_text())
        paper = meta['Collections'][0]['Paper']
        assert [reference['url'] for reference in cited if reference['title'] == paper['Title']] == [paper['URL']]
    assert len(cited) == 2
