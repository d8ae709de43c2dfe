"""The pages are built without a warning, and hold what they are made of."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import yaml

from tests.helpers import repo_root

ROOT = repo_root()
PACKAGES = sorted(
    str(path.parent.relative_to(ROOT)).replace('/', '.')
    for path in (ROOT / 'posestructs').rglob('__init__.py')
    if '__all__' in path.read_text() and path.parent.name not in ('posestructs', 'models', 'utils')
)


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """Folder of the pages, built by the command of ``make docs``."""
    out = tmp_path_factory.mktemp('pages')
    words = next(line for line in (ROOT / 'Makefile').read_text().splitlines() if '-m sphinx' in line).split()
    call = [sys.executable, *words[1:-1], '-d', str(out / 'doctrees'), str(out / 'html')]
    assert {'-W', '--keep-going'} <= set(call)
    # what a runner of tests sets, sphinx has no use for
    done = subprocess.run(call, cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'}, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr
    return out / 'html'


class Outside(HTMLParser):
    """Collects what a page would fetch by itself."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        source = attrs.get('src') or (attrs.get('href') if tag == 'link' else None)
        if source and re.match(r'(https?:)?//', source):
            self.found.append(source)


def test_pages_need_no_network(pages):
    for page in pages.rglob('*.html'):
        parser = Outside()
        parser.feed(page.read_text())
        assert not parser.found, page


def test_formulas_are_mathml_without_leftovers(pages):
    for name, least in (('structured_feature', 10), ('adversarial_posenet', 10), ('hybrid', 3)):
        html = (pages / 'methods' / f'{name}.html').read_text()
        assert html.count('<math ') >= least
        assert not re.search(r'<merror|\\(sum|mathrm|begin)\b', html)


def test_every_package_has_a_section_in_the_reference(pages):
    text = ''.join(page.read_text() for page in (pages / 'api').glob('*.html'))
    missing = [package for package in PACKAGES if f'id="module-{package}"' not in text]
    assert not missing and len(PACKAGES) > 12
    # arguments come out of Google's style as fields, not as prose
    head = text[text.index('id="posestructs.models.necks.TreeMessagePassing"') :]
    assert re.search(r'Parameters.*<strong>preset</strong>', head[:20000], re.DOTALL)


def test_the_model_zoo_lists_every_model_with_its_figures(pages):
    html = (pages / 'model_zoo.html').read_text()
    rows = {re.sub('<[^>]+>', ' ', row).split()[0]: row for row in re.findall('<tr.*?</tr>', html, re.DOTALL)}
    models = [m for path in ROOT.glob('configs/**/metafile.yml') for m in yaml.safe_load(path.read_text())['Models']]
    assert models
    for model in models:
        if not model.get('Results'):
            assert re.search(rf'>\s*{re.escape(model["Name"])}\s*<', html), model['Name']
            continue
        cells = re.sub('<[^>]+>', ' ', rows[model['Name']]).split()
        for result in model['Results']:
            assert {str(value) for value in result['Metrics'].values()} <= set(cells)
