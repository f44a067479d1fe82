/* Checks a retirement statement's proof file where there is Ed25519 in WebCrypto: a browser, or Node.js.

   The third reader of the format, beside cli/verify_statement.py and the network's own code, and it shares nothing with
   them. What it trusts: the genesis that it is given, this file, and the browser's SHA-256 and Ed25519. BLAKE2b, which
   no browser has, is written below and tested with the vectors of its specification (RFC 7693).

   verifyProof(proof, genesis) resolves to the proven facts, or rejects with NotProven: `about` says in one word which
   part failed (form, chain, votes, place, signature, facts, issue), `message` says what, in English. */

export class NotProven extends Error {
  constructor(about, why) {
    super(why);
    this.about = about;
  }
}

const refuse = (about, why) => { throw new NotProven(about, why); };

const DAY_S = 86400n, HOUR_S = 3600n, MAX_DEPTH = 12, FINALIZE = 3, ACCEPT = 0n;

// Arrays of the format, by the names of their elements.
const PROOF = "tag version hops facts retire issues";
const PROVEN = "transaction path sides headers finalization";
const HOP = "header finalization next_vote_keys";
const HEADER = "version epoch height parent_hash timestamp_ms proposer tx_root state_root validators_hash next_validators_hash";
const QUORUM = "kind epoch view parent_view block_hash bitmap signatures";
const BODY = "chain signers actions expiry_height salt";
const RETIRE = "tag holder ranges beneficiary purpose note consumption_from consumption_to jurisdiction statement_hash";
const RANGE = "outpoint issuance device start end production_from production_to";
const ISSUE = "tag device owner scheme face_value unit month facts days carry_in_wh carry_out_wh first_serial count netted_wh";
const ATTESTATION = "epoch device day step revision readings_root inputs_root profile_hash verifier_version verdict reasons release_wh energy_wh hours_wh";
const FACTS = "schema_version registry_code chain holder holder_name beneficiary purpose note consumption_from consumption_to jurisdiction total_wh bundles";
const BUNDLE = "issuance device start end month production_from production_to issued_at face_value unit serial_digits facts verifier_version profile_hash reasons issue_txid";
const DEVICE = "name gsrn country zone location fuel technology capacity_w commissioned_day interval_s channels latitude_udeg longitude_udeg coordinates_estimated tilt_udeg azimuth_udeg hub_height_cm insolation_source support";

export async function verifyProof(data, genesis) {
  try {
    return await verify(data, genesis);
  } catch (error) {
    if (error instanceof NotProven) throw error;
    throw new NotProven("form", `the file is not of the form that is expected (${error})`);
  }
}

/* Whether this browser can: it must agree with the first test vector of RFC 8032. */
export async function canVerify() {
  const key = bytesOf("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const signature = bytesOf("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  const message = new Uint8Array(0);
  try {
    return await signedBy(key, message, signature) && !await signedBy(key, new Uint8Array(1), signature);
  } catch {
    return false;
  }
}

async function verify(data, genesis) {
  const proof = named(decode(data, "the file"), PROOF, "the file");
  if (proof.tag !== "statement_proof" || proof.version !== 2n) refuse("form", "this is no statement proof of version 2");
  const facts = named(proof.facts, FACTS, "facts");
  const network = new Network(genesis, facts.chain);
  for (const hop of list(proof.hops)) await network.hop(named(hop, HOP, "hop"));
  const statement = blake("wattest/stmt", encode(proof.facts));
  const retired = await network.transaction(named(proof.retire, PROVEN, "retire"), "the retire transaction");
  const origins = [];
  for (const issue of list(proof.issues)) origins.push(await network.transaction(named(issue, PROVEN, "issue"), "an issue transaction"));
  checkClaim(network, facts, retired, statement);
  const bundles = list(facts.bundles).map((bundle) => named(bundle, BUNDLE, "bundle"));
  for (const bundle of bundles) for (const name of ["device", "start", "end", "face_value"]) integer(bundle[name]);
  const wanted = [...new Set(bundles.map((bundle) => hex(bundle.issue_txid)))];
  if (wanted.join() !== origins.map((issue) => hex(issue.txid)).join()) refuse("issue", "the issue transactions are not exactly those that the facts name");
  for (const bundle of bundles) await checkBundle(network, bundle, origins[wanted.indexOf(hex(bundle.issue_txid))]);
  const total = bundles.reduce((sum, bundle) => sum + (bundle.end - bundle.start + 1n) * bundle.face_value, 0n);
  equal("total energy", facts.total_wh, total);
  return {
    statement: hex(statement.slice(0, 16)),
    network: network.name,
    chain: hex(network.chain),
    height: retired.height,
    time_ms: retired.time_ms,
    txid: hex(retired.txid),
    holder: facts.holder_name,
    beneficiary: facts.beneficiary[0],
    total_wh: facts.total_wh,
    certificates: bundles.map((bundle) => numberOf(facts.registry_code, bundle)),
    signatures: network.signatures,
  };
}

// --- the network: its genesis, its validators, what they made final

class Network {
  constructor(genesis, chain) {
    this.chain = blake("wattest/genesis", genesis);
    if (!same(this.chain, binary(chain))) refuse("chain", `the file is of chain ${hex(chain)}, the genesis is of chain ${hex(this.chain)}`);
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(genesis));
    this.name = value.parameters.name;
    this.epochLength = BigInt(value.parameters.epoch_length);
    this.registryCode = value.parameters.registry_code;
    this.schemes = new Map(value.schemes.map((scheme) => [BigInt(scheme.id), scheme]));
    this.keys = [value.validators.map((validator) => bytesOf(validator.vote_key))];
    this.signatures = 0;
  }

  /* The last block of the last known epoch hands over to the next validators; those before it name mere plans. */
  async hop(hop) {
    const header = named(hop.header, HEADER, "header");
    const ended = BigInt(this.keys.length), ends = this.epochLength && header.height === ended * this.epochLength;
    if (!ends || header.epoch !== ended - 1n) refuse("votes", `the hops are not the ends of the epochs: block ${header.height}`);
    await this.final([hop.header], hop.finalization);
    if (!same(blake("wattest/valset", encode(hop.next_vote_keys)), header.next_validators_hash)) refuse("votes", "the next validators are not those that the epoch's last block names");
    this.keys.push(hop.next_vote_keys);
  }

  validators(epoch) {
    return this.keys[Number(integer(epoch))] ?? refuse("votes", `the validators of epoch ${epoch} do not follow from the file`);
  }

  quorum(epoch) {
    const count = this.validators(epoch).length;
    return count - Math.floor((count - 1) / 3);
  }

  /* The first of the headers, found final: they link up to the block that the Finalization names. */
  async final(headers, finalization) {
    const first = named(list(headers)[0], HEADER, "header");
    let expected = blake("wattest/header", encode(headers[0]));
    for (const values of headers.slice(1)) {
      const header = named(values, HEADER, "header");
      if (!same(header.parent_hash, expected) || header.epoch !== first.epoch) refuse("votes", `header ${header.height} does not follow the one before it`);
      expected = blake("wattest/header", encode(values));
    }
    const votes = named(finalization, QUORUM, "finalization"), keys = this.validators(first.epoch);
    if (!same(blake("wattest/valset", encode(keys)), first.validators_hash)) refuse("votes", `block ${first.height} was not made by the validators of this network`);
    if (votes.kind !== BigInt(FINALIZE) || votes.epoch !== first.epoch || !same(votes.block_hash, expected)) refuse("votes", `the finalization is not of block ${first.height} or a descendant that is shown`);
    await this.votes(votes, keys);
    return first;
  }

  async votes(votes, keys) {
    const bitmap = binary(votes.bitmap), signers = [];
    for (let index = 0; index < 8 * bitmap.length; index++) if (bitmap[index >> 3] >> (index & 7) & 1) signers.push(index);
    if (bitmap.length !== (keys.length + 7) >> 3 || signers.at(-1) >= keys.length) refuse("votes", "the bitmap of a finalization does not fit the validators");
    if (signers.length !== list(votes.signatures).length || signers.length < this.quorum(votes.epoch)) refuse("votes", `${signers.length} validators signed a finalization, the quorum is ${this.quorum(votes.epoch)}`);
    const numbers = new DataView(new ArrayBuffer(25));
    numbers.setUint8(0, FINALIZE);
    [votes.epoch, votes.view, votes.parent_view].forEach((value, place) => numbers.setBigUint64(1 + 8 * place, natural(value)));
    const message = joined(ascii("wattest/vote/1\0"), this.chain, new Uint8Array(numbers.buffer), votes.block_hash);
    for (const [place, signer] of signers.entries()) await this.signature("votes", keys[signer], message, votes.signatures[place], `validator ${signer}'s vote`);
  }

  async signature(about, key, message, signature, what) {
    if (!await signedBy(binary(key), message, binary(signature))) refuse(about, `the signature of ${what} does not hold`);
    this.signatures++;
  }

  /* The transaction, after its place in a final block and its own signatures were checked. */
  async transaction(proven, what) {
    const raw = binary(proven.transaction), header = await this.final(proven.headers, proven.finalization);
    const sides = natural(proven.sides);
    let digest = await sha256(Uint8Array.of(0), raw);
    for (const [level, sibling] of list(proven.path).entries()) {
      const left = sides >> BigInt(level) & 1n;
      digest = left ? await sha256(Uint8Array.of(1), binary(sibling), digest) : await sha256(Uint8Array.of(1), digest, binary(sibling));
    }
    if (sides >> BigInt(proven.path.length) || !same(digest, header.tx_root)) refuse("place", `${what} is not in block ${header.height}`);
    const signed = named(decode(raw, what), "body signatures", what), body = named(signed.body, BODY, what);
    if (!same(binary(body.chain), this.chain)) refuse("chain", `${what} is of another chain`);
    if (list(body.signers).length !== list(signed.signatures).length) refuse("signature", `${what} does not carry one signature for each signer`);
    const packed = encode(signed.body), message = joined(ascii("wattest/tx\0"), this.chain, packed);
    for (const [place, key] of body.signers.entries()) await this.signature("signature", key, message, signed.signatures[place], `a signer of ${what}`);
    return { txid: blake("wattest/tx", packed), actions: list(body.actions), height: header.height, time_ms: header.timestamp_ms };
  }
}

// --- facts against transactions

/* The retire action names this statement, and repeats the claim word for word. */
function checkClaim(network, facts, retired, statement) {
  const claims = retired.actions.filter((action) => action[0] === "retire" && same(action.at(-1), statement));
  if (claims.length !== 1) refuse("facts", "the transaction does not retire anything under the hash of these facts");
  const claim = named(claims[0], RETIRE, "the retire action");
  equal("schema version", facts.schema_version, 1n);
  equal("registry code", facts.registry_code, network.registryCode);
  for (const name of ["holder", "beneficiary", "purpose", "note", "consumption_from", "consumption_to", "jurisdiction"]) equal(name, facts[name], claim[name]);
  if (list(claim.ranges).length !== list(facts.bundles).length) refuse("facts", "the facts do not list the ranges that were retired");
  for (const [place, values] of claim.ranges.entries()) {
    const range = named(values, RANGE, "range"), bundle = named(facts.bundles[place], BUNDLE, "bundle");
    for (const name of ["issuance", "device", "start", "end", "production_from", "production_to"]) equal(name, bundle[name], range[name]);
  }
}

/* A range against the issue that it was born in. */
async function checkBundle(network, bundle, source) {
  const issue = source.actions.filter((action) => action[0] === "issue").map((action) => named(action, ISSUE, "the issue action")).find((one) =>
    one.device === bundle.device && one.first_serial <= bundle.start && bundle.start <= bundle.end && bundle.end < one.first_serial + one.count
  ) ?? refuse("issue", `certificates ${bundle.start}..${bundle.end} of device ${bundle.device} were not issued there`);
  const scheme = network.schemes.get(issue.scheme); // one that was added later is vouched for by the transactions alone
  if (scheme !== undefined) {
    equal("serial digits", bundle.serial_digits, BigInt(scheme.serial_digits));
    equal("face value", bundle.face_value, BigInt(scheme.face_value_wh));
  }
  for (const name of ["face_value", "unit", "month", "facts"]) equal(name, bundle[name], issue[name]);
  equal("date of issue", bundle.issued_at, source.time_ms / 1000n);
  const days = [];
  for (const day of list(issue.days)) days.push(await checkDay(network, issue, named(day, "attestation signatures", "day")));
  const releasing = days.filter((day) => day.release_wh > 0n);
  const accepted = releasing.length ? releasing : days; // carries alone can make a certificate whole
  const [start, end] = produced(issue, accepted, bundle);
  equal("start of production", bundle.production_from, start);
  equal("end of production", bundle.production_to, end);
  equal("verifier version", bundle.verifier_version, accepted[0].verifier_version);
  equal("reasons", bundle.reasons, [...new Set(accepted.flatMap((day) => day.reasons))].sort());
  const released = days.reduce((sum, day) => sum + day.release_wh, issue.carry_in_wh);
  equal("certificates issued", issue.count * issue.face_value + issue.carry_out_wh + issue.netted_wh, released);
  for (const day of accepted) equal("profile", bundle.profile_hash, day.profile_hash);
}

/* When a range was produced: on the days of its issue, or where certificates are of 1 Wh in its hour. */
function produced(issue, days, bundle) {
  if (issue.face_value !== 1n) return [days[0].day * DAY_S, (days.at(-1).day + 1n) * DAY_S];
  let serial = issue.first_serial, paid = issue.netted_wh;
  for (const day of days) {
    for (const [hour, energy] of list(day.hours_wh).entries()) {
      const left = energy > paid ? energy - paid : 0n;
      paid = paid > energy ? paid - energy : 0n;
      if (serial <= bundle.start && bundle.end < serial + left) {
        const start = day.day * DAY_S + BigInt(hour) * HOUR_S;
        return [start, start + HOUR_S];
      }
      serial += left;
    }
  }
  return refuse("issue", `certificates ${bundle.start}..${bundle.end} are not of one hour of their issue`);
}

/* An attested day: a quorum of distinct validators signed the same verdict. */
async function checkDay(network, issue, attested) {
  const judged = named(attested.attestation, ATTESTATION, "attestation");
  integer(judged.release_wh);
  if (judged.device !== issue.device || (judged.release_wh && judged.verdict !== ACCEPT)) refuse("issue", `the attestation of day ${judged.day} is not one that could be issued from`);
  const keys = network.validators(judged.epoch);
  const message = joined(ascii("wattest/attest\0"), network.chain, encode(attested.attestation));
  const signers = list(attested.signatures).map((signed) => named(signed, "validator signature", "signature"));
  const rising = signers.every((signed, place) => !place || signers[place - 1].validator < integer(signed.validator));
  if (!rising || signers.length < network.quorum(judged.epoch)) refuse("issue", `day ${judged.day} is not attested by a quorum`);
  for (const signed of signers) {
    const key = keys[Number(integer(signed.validator))] ?? refuse("issue", `there is no validator ${signed.validator}`);
    await network.signature("issue", key, message, signed.signature, `validator ${signed.validator}'s attestation of day ${judged.day}`);
  }
  return judged;
}

function equal(name, fact, transaction) {
  if (!same(encode(fact), encode(transaction))) refuse("facts", `the fact «${name}» is not what the transactions say`);
}

/* WAT-DK-0001234-202611-000004567-16, with the check digits of ISO 7064 MOD 97-10. */
function numberOf(registry, bundle) {
  const digits = (value, width) => String(value).padStart(Number(width), "0");
  let serials = digits(bundle.start, bundle.serial_digits);
  if (bundle.end !== bundle.start) serials += `/${digits(bundle.end, bundle.serial_digits)}`;
  const country = named(bundle.facts, DEVICE, "device").country;
  const stem = `${registry}-${country}-${digits(bundle.device, 7)}-${digits(bundle.month, 6)}-${serials}`;
  const plain = [...stem].filter((letter) => !"-/".includes(letter)).map((letter) => parseInt(letter, 36)).join("");
  return `${stem}-${digits(98n - BigInt(plain) * 100n % 97n, 2)}`;
}

// --- bytes

/* The value whose one canonical MessagePack encoding `data` is. Integers are BigInt, always. */
export function decode(data, what) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  const step = (size) => {
    if (at + size > data.length) refuse("form", `${what} ends too early`);
    at += size;
    return at - size;
  };
  const length = (size) => size === 1 ? view.getUint8(step(1)) : size === 2 ? view.getUint16(step(2)) : view.getUint32(step(4));
  const bytes = (size) => data.slice(step(size), at);
  const text = (size) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes(size));
  const array = (size, depth) => {
    if (depth === 0) refuse("form", `${what} is nested too deeply`);
    const items = [];
    for (let place = 0; place < size; place++) items.push(item(depth - 1));
    return items;
  };
  const item = (depth) => {
    const first = view.getUint8(step(1));
    if (first < 0x80) return BigInt(first);
    if (first >= 0xe0) return BigInt(first - 0x100);
    if (first >= 0x90 && first < 0xa0) return array(first & 15, depth);
    if (first >= 0xa0 && first < 0xc0) return text(first & 31);
    switch (first) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return bytes(length(1 << first - 0xc4));
      case 0xcc: case 0xcd: case 0xce: return BigInt(length(1 << first - 0xcc));
      case 0xcf: return view.getBigUint64(step(8));
      case 0xd0: return BigInt(view.getInt8(step(1)));
      case 0xd1: return BigInt(view.getInt16(step(2)));
      case 0xd2: return BigInt(view.getInt32(step(4)));
      case 0xd3: return view.getBigInt64(step(8));
      case 0xd9: case 0xda: case 0xdb: return text(length(1 << first - 0xd9));
      case 0xdc: case 0xdd: return array(length(2 << first - 0xdc), depth);
    }
    return refuse("form", `${what} holds a type that the format does not have`);
  };
  const value = item(MAX_DEPTH);
  if (at !== data.length || !same(encode(value), data)) refuse("form", `${what} is not the shortest encoding of its value`);
  return value;
}

export function encode(value) {
  const out = [];
  const sized = (size, short, limit, codes) => {
    if (size < limit) return out.push(short | size);
    const width = codes.length === 3 && size < 0x100 ? 1 : size < 0x10000 ? 2 : 4;
    out.push(codes.at(width === 1 ? 0 : width === 2 ? -2 : -1));
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) out.push(size >>> shift & 255);
  };
  const number = (whole) => {
    if (whole >= -32n && whole < 128n) return out.push(Number(BigInt.asUintN(8, whole)));
    const size = whole < 0n ? -whole - 1n << 1n : whole;
    const width = size < 0x100n ? 1 : size < 0x10000n ? 2 : size < 0x100000000n ? 4 : 8;
    out.push((whole < 0n ? 0xd0 : 0xcc) + Math.log2(width));
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) out.push(Number(BigInt.asUintN(8, whole >> BigInt(shift))));
  };
  const item = (one) => {
    if (one === null) out.push(0xc0);
    else if (typeof one === "boolean") out.push(one ? 0xc3 : 0xc2);
    else if (typeof one === "bigint") number(one);
    else if (typeof one === "string") {
      const text = new TextEncoder().encode(one);
      sized(text.length, 0xa0, 32, [0xd9, 0xda, 0xdb]);
      for (const byte of text) out.push(byte);
    } else if (one instanceof Uint8Array) {
      sized(one.length, 0, 0, [0xc4, 0xc5, 0xc6]);
      for (const byte of one) out.push(byte);
    } else {
      sized(list(one).length, 0x90, 16, [0xdc, 0xdd]);
      one.forEach(item);
    }
  };
  item(value);
  return Uint8Array.from(out);
}

function named(value, names, what) {
  const keys = names.split(" ");
  if (!Array.isArray(value) || value.length !== keys.length) refuse("form", `${what} is not an array of ${keys.length}`);
  return Object.fromEntries(keys.map((key, place) => [key, value[place]]));
}

const list = (value) => Array.isArray(value) ? value : refuse("form", "something is not an array");
const binary = (value) => value instanceof Uint8Array ? value : refuse("form", "something is not of bytes");
const integer = (value) => typeof value === "bigint" ? value : refuse("form", "something is not an integer");
const natural = (value) => integer(value) >= 0n ? value : refuse("form", "something is negative");
const same = (one, other) => one instanceof Uint8Array && other instanceof Uint8Array && one.length === other.length && one.every((byte, place) => byte === other[place]);
const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
export const hex = (bytes) => Array.from(binary(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
export const bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

async function signedBy(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

// --- BLAKE2b (RFC 7693)

const IV = [0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n, 0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n];
const SIGMA = ["0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0"].map((row) => [...row].map((place) => parseInt(place, 16)));
const QUARTERS = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
const u64 = (value) => BigInt.asUintN(64, value);
const turned = (value, by) => u64(value >> by | value << 64n - by);

export function blake2b(data, size, person = new Uint8Array(16)) {
  const personal = new DataView(person.buffer, person.byteOffset);
  const state = [...IV];
  state[0] ^= 0x01010000n ^ BigInt(size);
  state[6] ^= personal.getBigUint64(0, true);
  state[7] ^= personal.getBigUint64(8, true);
  const blocks = Math.max(1, Math.ceil(data.length / 128));
  const padded = joined(data, new Uint8Array(128 * blocks - data.length)), words = new DataView(padded.buffer);
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1, counted = last ? data.length : 128 * (block + 1);
    const message = Array.from({ length: 16 }, (_, place) => words.getBigUint64(128 * block + 8 * place, true));
    const v = [...state, ...IV];
    v[12] ^= BigInt(counted);
    if (last) v[14] = u64(~v[14]);
    for (let round = 0; round < 12; round++) {
      const order = SIGMA[round % 10];
      QUARTERS.forEach(([a, b, c, d], place) => {
        v[a] = u64(v[a] + v[b] + message[order[2 * place]]);
        v[d] = turned(v[d] ^ v[a], 32n);
        v[c] = u64(v[c] + v[d]);
        v[b] = turned(v[b] ^ v[c], 24n);
        v[a] = u64(v[a] + v[b] + message[order[2 * place + 1]]);
        v[d] = turned(v[d] ^ v[a], 16n);
        v[c] = u64(v[c] + v[d]);
        v[b] = turned(v[b] ^ v[c], 63n);
      });
    }
    for (let place = 0; place < 8; place++) state[place] ^= v[place] ^ v[place + 8];
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, place) => out.setBigUint64(8 * place, word, true));
  return new Uint8Array(out.buffer).slice(0, size);
}

function blake(tag, data) {
  const person = new Uint8Array(16);
  person.set(ascii(tag));
  return blake2b(data, 32, person);
}
