"""The mini program's own WeChat services: who logs in, what buyers are told, what WeChat is told, codes and links.

Everything here talks to api.weixin.qq.com. Money is the business of `engine.payments`, which knows nothing of this.
"""
