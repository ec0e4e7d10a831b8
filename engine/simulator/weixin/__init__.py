"""The mini program's side, api.weixin.qq.com: access tokens, login, messages, deliveries, codes and links."""
