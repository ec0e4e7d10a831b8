"""E-fapiao: from the buyer's title over the tax office's answer to the red letter that a refund asks for."""
