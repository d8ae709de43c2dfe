"""Trained models outside of mmpose: the network that is shipped, and how what it gives is read."""

from posestructs.deployment.maps_network import MapsNetwork, build_generator, load_generator

__all__ = ['MapsNetwork', 'build_generator', 'load_generator']
