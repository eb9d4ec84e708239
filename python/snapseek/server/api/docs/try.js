// A form for every operation of the served document, and what comes back. Whatever comes from the server is
// shown as text, never as markup.

// Addresses are relative to that of this page, /api/docs, so that a proxy may show all below another path.
const MOST_CHARACTERS = 20_000;
const BODIES = {
  "/api/search": { terms: [{ text: "a dog" }], limit: 3, include: ["caption", "meta"] },
  "/knn-service": { text: "a dog", modality: "image", num_images: 3 },
  "/metadata": { ids: [1] },
};

const reply = await fetch("openapi.json");
const description = await reply.json();
const about = document.querySelector("#about");
about.textContent = reply.ok
  ? `${description.info.title} ${description.info.version}. ${description.info.description}`
  : description.detail;

for (const [path, methods] of Object.entries(description.paths ?? {})) {
  for (const [method, operation] of Object.entries(methods)) {
    document.querySelector("#operations").append(formOf(path, method, operation));
  }
}

function formOf(path, method, operation) {
  const part = document.querySelector("#operation").content.cloneNode(true);
  part.querySelector(".method").textContent = method.toUpperCase();
  part.querySelector(".path").textContent = path;
  part.querySelector(".summary").textContent = operation.summary;
  const fields = part.querySelector(".fields");
  for (const parameter of operation.parameters) {
    fields.append(fieldOf(parameter.name, inputOf(parameter), parameter.description));
  }
  if (operation.requestBody) {
    const body = document.createElement("textarea");
    body.value = JSON.stringify(BODIES[path] ?? {}, null, 2);
    body.spellcheck = false;
    fields.append(fieldOf("body", body, "A JSON object."));
  }
  const form = part.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void ask(form, path, method, operation);
  });
  return part;
}

function inputOf(parameter) {
  const shape = parameter.schema;
  if (shape.enum) {
    const choice = document.createElement("select");
    for (const name of shape.enum) choice.append(new Option(name));
    return choice;
  }
  const input = document.createElement("input");
  input.placeholder = shape.default === undefined ? "" : String(shape.default);
  input.required = parameter.required === true;
  if (parameter.in === "path") input.value = "1";
  return input;
}

function fieldOf(name, control, hint) {
  const field = document.createElement("label");
  field.className = "field";
  control.name = name;
  const label = document.createElement("span");
  label.textContent = name;
  const note = document.createElement("span");
  note.className = "hint";
  note.textContent = hint ?? "";
  field.append(label, control, note);
  return field;
}

function requestOf(form, path, method, operation) {
  let address = path;
  const query = new URLSearchParams();
  for (const parameter of operation.parameters) {
    const value = form.elements[parameter.name].value.trim();
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== "" && value !== parameter.schema.default) query.set(parameter.name, value);
  }
  const options = { method: method.toUpperCase() };
  if (operation.requestBody) {
    options.body = form.elements.body.value;
    options.headers = { "content-type": "application/json" };
  }
  return [query.size > 0 ? `${address}?${query}` : address, options];
}

async function ask(form, path, method, operation) {
  const [address, options] = requestOf(form, path, method, operation);
  const status = form.querySelector(".status");
  form.querySelector(".asked").textContent = `${options.method} ${address}`;
  const begun = performance.now();
  try {
    const answer = await fetch(`..${address}`, options);
    const content = await answer.blob();
    const timing = answer.headers.get("server-timing") ?? "";
    const took = `${Math.round(performance.now() - begun)} ms, ${content.size} bytes`;
    status.textContent = [answer.status, took, timing].filter(Boolean).join(" · ");
    await show(form, content, answer.headers.get("content-type") ?? "");
  } catch (error) {
    status.textContent = `no answer: ${error.message}`;
  }
}

async function show(form, content, type) {
  const picture = form.querySelector(".picture");
  const text = form.querySelector(".answer");
  picture.hidden = !type.startsWith("image/");
  text.hidden = !picture.hidden;
  URL.revokeObjectURL(picture.src);
  if (!picture.hidden) {
    picture.src = URL.createObjectURL(content);
    return;
  }
  const raw = await content.text();
  const shown = type.includes("json") ? JSON.stringify(JSON.parse(raw), null, 2) : raw;
  text.textContent = shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)}…` : shown;
}
