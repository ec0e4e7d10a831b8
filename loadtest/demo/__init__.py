"""One whole concert drop on this machine, for somebody who looks at it for the first time."""
