"""Tables of the model zoo from metafiles."""

from runpy import run_path

from tests.helpers import repo_root

ZOO = run_path(str(repo_root() / 'docs' / '_extensions' / 'model_zoo.py'))
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
    assert ZOO['model_zoo'](tmp_path) == '\n'.join(
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
            'Not measured here, by training data:',
            '',
            '- LSP, MPII: [`large`](../configs/group/large.py)',
            '',
            '## Other',
            '',
            'Not measured here, by training data:',
            '',
            '- COCO: [`other`](../configs/group/other.py), [`another`](../configs/group/another.py)',
        ]
    )
