// Runs the script of the verifier's page under Node: a list of tasks on standard input, a list of answers on output.
"use strict";
const { readFileSync } = require("node:fs");
const { runInThisContext } = require("node:vm");

const page = readFileSync(process.argv[2], "utf8");
const script = page.split("<script>")[1].split("</script>")[0];
const { permuted, leaf, rootOfTags, rootByPath, seedOf, tagOf, sha, hex, unhex, verify, split, text } =
  runInThisContext(`${script};({ permuted, leaf, rootOfTags, rootByPath, seedOf, tagOf, sha, hex, unhex, verify, split, text })`);

const doing = {
  positions: ({ seed, n, indexes }) => Promise.all(indexes.map((index) => permuted(unhex(seed), index, n))),
  root: async ({ lane, tags }) => hex(await rootOfTags(lane, split(unhex(tags)))),
  path: async ({ lane, index, tag, n, path }) => {
    const root = await rootByPath(await leaf(lane, index, unhex(tag)), index, n, path.map(unhex));
    return root && hex(root);
  },
  rules: async ({ sale, buyer, lane, root, n, secret, beacon }) => {
    const randomness = await sha(text.encode("floodgate draw 1 randomness"), unhex(secret), unhex(beacon));
    return {
      tag: hex(await tagOf(sale, unhex(buyer))),
      commitment: hex(await sha(unhex(secret))),
      randomness: hex(randomness),
      seed: hex(await seedOf(sale, lane, unhex(root), n, randomness)),
    };
  },
  verify: async ({ draw, entries, proof, place }) => {
    const tags = Object.fromEntries(Object.entries(entries).map(([lane, blob]) => [lane, split(unhex(blob))]));
    return (await verify(draw, { entries: tags, proof, place })).map((one) => one.verdict);
  },
};

(async () => {
  const answers = [];
  for (const task of JSON.parse(readFileSync(0, "utf8"))) answers.push(await doing[task.task](task));
  process.stdout.write(JSON.stringify(answers));
})();
