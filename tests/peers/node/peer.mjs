// A merchant on Node: orders, pays, is called back, queries, refunds and closes with an SDK that knows nothing of us.
// argv: the simulator's address, its credentials.json. Prints what it found as one JSON object.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import sdk from 'wechatpay-axios-plugin';

const { Wechatpay, Rsa, Aes, Formatter } = sdk;
const [gateway, file] = process.argv.slice(2);
const names = JSON.parse(await readFile(file, 'utf8'));
const beside = (path) => readFile(join(dirname(file), path.split('/').pop()), 'utf8');
const privateKey = await beside(names.private_key_file);
const publicKey = await beside(names.public_key_file);

const pay = new Wechatpay({
  mchid: names.mchid,
  serial: names.certificate_serial,
  privateKey,
  certs: { [names.public_key_id]: publicKey },
  baseURL: `${gateway}/`,
  headers: { 'Wechatpay-Serial': names.public_key_id },
});

const received = [];
const arrivals = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
    arrivals.emit('notice');
  });
});
arrivals.listen(0, '127.0.0.1');
await once(arrivals, 'listening');
const notifyUrl = `http://127.0.0.1:${arrivals.address().port}/notify`;

async function notice(eventType) {
  for (;;) {
    const found = received.find(({ body }) => JSON.parse(body).event_type === eventType);
    if (found) return found;
    await once(arrivals, 'notice');
  }
}

function opened({ headers, body }) {
  const message = Formatter.response(headers['wechatpay-timestamp'], headers['wechatpay-nonce'], body);
  const verified = Rsa.verify(message, headers['wechatpay-signature'], publicKey);
  const forged = Rsa.verify(`${message} `, headers['wechatpay-signature'], publicKey);
  const { resource } = JSON.parse(body);
  const plain = Aes.AesGcm.decrypt(resource.ciphertext, names.api_v3_key, resource.nonce, resource.associated_data);
  return { verified, forged, serial: headers['wechatpay-serial'], content: JSON.parse(plain) };
}

const openid = `oNodePeer-${'0'.repeat(18)}`;
const order = (number) => ({
  appid: names.appid,
  mchid: names.mchid,
  description: '内场站票 Floor',
  out_trade_no: number,
  notify_url: notifyUrl,
  amount: { total: 68000, currency: 'CNY' },
  payer: { openid },
});

const { data: prepaid } = await pay.v3.pay.transactions.jsapi.post(order('NODE00000001'));
const wanted = {
  timeStamp: `${Formatter.timestamp()}`,
  nonceStr: Formatter.nonce(),
  package: `prepay_id=${prepaid.prepay_id}`,
};
const line = Formatter.joinedByLineFeed(names.appid, wanted.timeStamp, wanted.nonceStr, wanted.package);
const tapped = await fetch(`${gateway}/_buyer/pay`, {
  method: 'POST',
  body: JSON.stringify({ openid, ...wanted, signType: 'RSA', paySign: Rsa.sign(line, privateKey) }),
});
const paid = opened(await notice('TRANSACTION.SUCCESS'));
const byNumber = pay.v3.pay.transactions.outTradeNo.$out_trade_no$;
const { data: trade } = await byNumber.get({ params: { mchid: names.mchid }, out_trade_no: 'NODE00000001' });
await pay.v3.refund.domestic.refunds.post({
  out_trade_no: 'NODE00000001',
  out_refund_no: 'NODEREFUND01',
  notify_url: notifyUrl,
  amount: { refund: 8000, total: 68000, currency: 'CNY' },
});
const refunded = opened(await notice('REFUND.SUCCESS'));
await pay.v3.pay.transactions.jsapi.post(order('NODE00000002'));
const closed = await byNumber.close.post({ mchid: names.mchid }, { out_trade_no: 'NODE00000002' });
const wrong = await pay.v3.pay.transactions.jsapi
  .post({ ...order('NODE00000003'), amount: { total: 0, currency: 'CNY' } })
  .catch((error) => error.response);

arrivals.close();
process.stdout.write(JSON.stringify({
  tapped: (await tapped.json()).result,
  paid,
  trade: { state: trade.trade_state, transaction_id: trade.transaction_id, total: trade.amount.total },
  refunded,
  closed: closed.status,
  wrong: { status: wrong.status, code: wrong.data.code },
}));
process.exit(0);
