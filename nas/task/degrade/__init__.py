"""Degrade: synthetic noise on clean photographs, white on their values or as a camera makes it."""

from nas.task.degrade.camera import CameraNoise
from nas.task.degrade.noise import BlendedNoise, Noise, make_noise
from nas.task.degrade.profile import PROFILES, NoiseProfile
from nas.task.degrade.white import SensorNoise, add_sensor_noise

__all__ = [
    "PROFILES",
    "BlendedNoise",
    "CameraNoise",
    "Noise",
    "NoiseProfile",
    "SensorNoise",
    "add_sensor_noise",
    "make_noise",
]
