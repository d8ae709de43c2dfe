"""Tables of the model zoo from metafiles."""

from benchmarks.model_zoo import NAME, model_zoo
from benchmarks.page import replace_section
from tests.helpers import repo_root

META = """
Collections:
- Name: Method
  Paper: {Title: A title, URL: https://example.org/1}
- Name: Other
Models:
- Name: small
  Config: configs/group/small.py
  In Collection: Method
  Metadata: {Training Data: LSP}
  Weights: demo/checkpoints/small.pth
  Results:
  - {Dataset: LSP, Metrics: {PCK: 50.5}}
  - {Dataset: MPII, Metrics: {PCK: 40.0, PCP: 30.0}}
- Name: medium
  Config: configs/group/medium.py
  In Collection: Method
  Metadata: {Training Data: LSP}
  Results:
  - {Dataset: LSP, Metrics: {PCK: 51.0}}
- Name: large
  Config: configs/group/large.py
  In Collection: Method
  Metadata: {Training Data: [LSP, MPII]}
- Name: other
  Config: configs/group/other.py
  In Collection: Other
  Metadata: {Training Data: COCO}
- Name: another
  Config: configs/group/another.py
  In Collection: Other
  Metadata: {Training Data: COCO}
"""


def test_tables(tmp_path):
    folder = tmp_path / 'configs' / 'group'
    folder.mkdir(parents=True)
    (folder / 'metafile.yml').write_text(META)
    assert model_zoo(tmp_path) == '\n'.join(
        [
            '## Method',
            '',
            '[A title](https://example.org/1)',
            '',
            'Tested on LSP:',
            '',
            '| config | trained on | PCK |',
            '| --- | --- | ---: |',
            '| [`small`](../configs/group/small.py) ([weights](../demo/checkpoints/small.pth)) | LSP | 50.5 |',
            '| [`medium`](../configs/group/medium.py) | LSP | 51.0 |',
            '',
            'Tested on MPII:',
            '',
            '| config | trained on | PCK | PCP |',
            '| --- | --- | ---: | ---: |',
            '| [`small`](../configs/group/small.py) ([weights](../demo/checkpoints/small.pth)) | LSP | 40.0 | 30.0 |',
            '',
            'Without figures in this table, by training data:',
            '',
            '- LSP, MPII: `large`',
            '',
            '## Other',
            '',
            'Without figures in this table, by training data:',
            '',
            '- COCO: `other`, `another`',
        ]
    )


def test_the_page_is_that_of_the_metafiles():
    page = (repo_root() / 'docs' / 'model_zoo.md').read_text()
    written = replace_section(page, NAME, model_zoo(repo_root()))
    assert page == written, 'docs/model_zoo.md is out of date: python benchmarks/model_zoo.py'
