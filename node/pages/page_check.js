/* Proves the statement of this page in this page: fetches its proof file and the genesis, checks both, and shows one of
   the states that the page holds ready. Without this script the page stays at the first of them: not proved here. */

import { NotProven, bytesOf, canVerify, verifyProof } from "./verify_statement.js";

const KEPT = "wattest.chain"; // the chain id that the reader keeps in this browser, from somebody he trusts
const box = document.getElementById("proof");
const form = document.getElementById("keep");

const shown = (name, value) => {
  for (const one of document.querySelectorAll(`[data-${name}]`)) one.hidden = one.dataset[name] !== value;
};
const say = (state, about = "", detail = "") => {
  shown("state", state);
  shown("about", about);
  for (const one of box.querySelectorAll("[data-detail]")) one.textContent = detail;
  form.hidden = state === "cannot";
  box.dataset.is = state;
};
const kept = () => {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch { // a browser may refuse to store anything
    return "";
  }
};

async function load(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function prove() {
  if (!window.isSecureContext) return say("cannot", "insecure");
  if (!await canVerify()) return say("cannot", "unable");
  say("working");
  let files;
  try {
    files = await Promise.all([load(box.dataset.proof), load(box.dataset.genesis)]);
  } catch (error) {
    return say("unproved", "unreachable", String(error.message));
  }
  try {
    const proven = await verifyProof(...files);
    if (proven.statement !== box.dataset.statement) throw new NotProven("facts", `the proof is of statement ${proven.statement}`);
    if (kept() && kept() !== proven.chain) throw new NotProven("kept", `chain ${proven.chain}`);
    tell(proven);
  } catch (error) {
    if (!(error instanceof NotProven)) throw error;
    say("refused", error.about, error.message);
  }
}

/* As the page writes it, or nobody could compare: the largest unit that leaves no more than three decimals. */
function energy(wh, units, language) {
  const step = [3, 2, 1].find((step) => wh >= 1000n ** BigInt(step) && wh % 1000n ** BigInt(step - 1) === 0n) ?? 0;
  return `${(Number(wh) / 1000 ** step).toLocaleString(language, { maximumFractionDigits: 3 })} ${units[step]}`;
}

function tell(proven) {
  const language = document.documentElement.lang, units = box.querySelector("[data-units]").dataset.units.split(" ");
  const facts = {
    ...proven,
    total_wh: energy(proven.total_wh, units, language),
    certificates: proven.certificates.join(" "),
    time_ms: new Date(Number(proven.time_ms)).toISOString().replace("T", " ").slice(0, 19) + " UTC",
  };
  for (const one of box.querySelectorAll("[data-fact]")) one.textContent = String(facts[one.dataset.fact]);
  say("proved", kept() ? "compared" : "uncompared");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = form.elements.chain.value.trim().toLowerCase();
  const right = typed === "" || (/^[0-9a-f]{64}$/.test(typed) && bytesOf(typed).length === 32);
  form.elements.chain.setCustomValidity(right ? "" : form.dataset.wrong);
  if (!form.reportValidity()) return;
  if (typed) localStorage.setItem(KEPT, typed);
  else localStorage.removeItem(KEPT);
  prove();
});
form.elements.chain.addEventListener("input", () => form.elements.chain.setCustomValidity(""));
form.elements.chain.value = kept();
prove();
