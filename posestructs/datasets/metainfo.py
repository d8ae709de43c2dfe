"""Former place of :mod:`posestructs.structures.metainfo`, kept for configs and scripts that import from here."""

from posestructs.structures.metainfo import (
    EXTRA_KEYS,
    joint_names,
    load_metainfo,
    metainfo_file,
    raw_metainfo,
)

__all__ = ['EXTRA_KEYS', 'joint_names', 'load_metainfo', 'metainfo_file', 'raw_metainfo']
