"""The same crowd as Locust users: in its web UI, headless, in several processes and over machines."""
