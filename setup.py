"""Write the codecs, which git does not hold, before setuptools looks for packages: here, and in the copy that a wheel is made of."""

import subprocess
import sys

from setuptools import setup

subprocess.run([sys.executable, "-B", "-m", "referral.wire.schema.generate", "codecs"], check=True)
setup()
