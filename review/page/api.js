// Requests to the server. Addresses are relative, so that they carry the token.
const trouble = document.getElementById("trouble");
export function complain(text) {
  const sentence = text.replace(/^[a-z]+ /, (word) => word[0].toUpperCase() + word.slice(1));
  if (trouble.textContent !== sentence) trouble.textContent = sentence; // screen readers say it at every change
  trouble.hidden = !text;
}
async function answer(promise) {
  let response;
  try {
    response = await promise;
  } catch {
    throw new Error("The server does not answer. Was `review` ended? Start it again; unsaved changes are kept here and sent then.");
  }
  if (response.ok) return response.json();
  const said = await response.text(), plain = response.headers.get("Content-Type")?.startsWith("text/plain");
  let words = plain && said ? said : `${response.status} ${response.statusText}`;
  try { words = JSON.parse(said).error || words; } catch { /* no JSON */ }
  const error = new Error(words);
  error.refused = response.status === 400;
  throw error;
}
export const get = (path, query = {}) => answer(fetch(`api/${path}?${new URLSearchParams(query)}`));
export const post = (path, content) => answer(fetch(`api/${path}`, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
}));
export const picture = (kind, query) => `picture/${kind}?${new URLSearchParams(query)}`;
