"""Targets of README and pages exist; missing ones are found."""

import pytest

from tests.helpers import repo_root
from tests.test_docs import check_docs

ROOT = repo_root()


def test_nothing_in_the_documents_leads_nowhere():
    names = {str(path.relative_to(ROOT)) for path in check_docs.documents(ROOT)}
    assert {'README.md', 'CONTRIBUTING.md', 'configs/structured_feature/README.md', 'docs/index.md'} <= names
    assert 'docs/recipes/index.md' in names and 'docs/methods/hybrid.md' in names
    assert not check_docs.problems(ROOT)


@pytest.fixture
def page(tmp_path):
    """Writes a page into a small checkout, and checks it: the lines and words of what is found."""
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'a_x.py').touch()
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    (tmp_path / 'Makefile').write_text('X ?= 1\nmake-this:\n\ttrue\n')
    (tmp_path / 'other.md').write_text('# Two words, *and* `code`\n\n## Twice\n\n## Twice\n')

    def check(text):
        (tmp_path / 'README.md').write_text(text)
        return [(problem.line, problem.what) for problem in check_docs.problems(tmp_path.resolve())]

    return check


def test_links_and_anchors(page):
    good = ['other.md', 'other.md#two-words-and-code', 'other.md#twice-1', '#here', 'configs/', 'https://x.y/z#q']
    assert not page('# Here\n\n' + '\n'.join(f'[a]({target})' for target in good) + '\n\n![b](configs/a_x.py)\n')
    bad = {
        'none.md': 'no such file',
        'other.md#three': 'no such heading',
        '#there': 'no such heading',
        'configs/a_x.py#l1': 'no such heading',
        '../../x': 'leaves the project',
    }
    for target, what in bad.items():
        ((line, said),) = page(f'# Here\n\ntext\n\n[a]({target})\n')
        assert line == 5 and target in said and what in said
    # not a link
    assert not page('# Here\n\n`[a](none.md)`\n')


def test_paths(page):
    assert not page('`configs/a_x.py`, `configs/a_{x}.py`, `configs/a_*.py`, `work_dirs/configs/b.py`, `configs/...`\n')
    assert not page('```text\nconfigs/mine.py\n```\n')
    # of mmpose
    assert not page("`from_file='configs/_base_/datasets/coco.py'`\n")
    assert page('\n`configs/a_{x,y}.py`\n') == [(2, 'path configs/a_y.py: no such file')]
    assert page('`configs/b_*.py`.\n') == [(1, 'path configs/b_*.py: no such file')]
    assert page('```python\nx = "configs/b.py"\n```\n') == [(1, 'path configs/b.py: no such file')]


def test_commands_that_would_run(page):
    assert not page(
        """
```bash
make make-this X=2
C=configs/a_x.py
OMP_NUM_THREADS=1 python tools/train.py $C --resume --cfg-options a.b=1 c=2  # comment --no-flag
python tools/test.py configs/a_x.py x.pth \\
    --out x.json && python -m posestructs.compat
bash tools/dist_train.sh configs/a_x.py 8 --amp
GPUS=8 bash tools/slurm_train.sh gpu job configs/a_x.py work --resume
python -m posestructs browse-dataset configs/a_x.py --mode pipeline
python -m posestructs TOOL
python tools/train.py ... --seed 1 | tee log
```

`python tools/train.py CONFIG --seed 1`, `python = 3`, `it's`
"""
    )


@pytest.mark.parametrize(
    'command, said',
    [
        ('python tools/train.py configs/a_x.py --sed 1', 'unrecognized arguments: --sed 1'),
        ('python tools/train.py', 'the following arguments are required: config'),
        ('python tools/train.py configs/a_x.py --launcher x', 'invalid choice'),
        ('python tools/train.py ... --sed 1', 'no flag --sed'),
        ('python tools/misc/browse_dataset.py configs/a_x.py --sheet many', 'invalid int value'),
        ('python tools/trian.py configs/a_x.py', 'no file tools/trian.py'),
        ('python -m posestructs.compta', 'No module'),
        ('python -m posestructs trian configs/a_x.py', 'no command trian'),
        ('bash tools/dist_train.sh configs/a_x.py 8 --apm', 'unrecognized arguments: --apm'),
        ('bash tools/dist_train.sh', 'too few arguments'),
        ('bash tools/slurm_trian.sh a b', 'no file'),
        ('make this', 'no target this'),
        ('python tools/train.py configs/b.py', 'path configs/b.py: no such file'),
    ],
)
def test_commands_that_would_not_run(page, command, said):
    for text, line in ((f'\n```console\n$ {command}\n```\n', 2), (f'a\n`{command}`\n', 2)):
        found = page(text)
        assert [number for number, _ in found] == [line] * len(found) and found
        assert any(said.lower() in what.lower() for _, what in found), found
