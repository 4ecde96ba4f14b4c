// Opens a map in the YAML language server as an editor does, prints what it marks,
// and what it shows of the first `do: send_alert`. Arguments: the map's file.
// The protocol: https://microsoft.github.io/language-server-protocol/
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const binary = join(here, "node_modules/yaml-language-server/bin/yaml-language-server");
const file = resolve(process.argv[2]);
const uri = pathToFileURL(file).href;
const text = readFileSync(file, "utf8");
const lines = text.split("\n");
const line = lines.findIndex((one) => one.includes("do: send_alert"));
const told = {};

const server = spawn(process.execPath, [binary, "--stdio"], {
  stdio: ["pipe", "pipe", "inherit"],
});
let received = Buffer.alloc(0);
server.stdout.on("data", (more) => {
  received = Buffer.concat([received, more]);
  for (;;) {
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(received.subarray(0, end))[1]);
    if (received.length < end + 4 + length) return;
    const body = received.subarray(end + 4, end + 4 + length);
    received = received.subarray(end + 4 + length);
    take(JSON.parse(body));
  }
});

function send(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function at(character) {
  return { textDocument: { uri }, position: { line, character } };
}

function take(message) {
  if (message.method === "workspace/configuration") {
    send({ id: message.id, result: message.params.items.map(() => ({})) });
  } else if (message.method !== undefined && message.id !== undefined) {
    send({ id: message.id, result: null });
  } else if (message.id === 1) {
    send({ method: "initialized", params: {} });
    const yaml = { validate: true, hover: true, completion: true };
    yaml.schemaStore = { enable: false };
    send({
      method: "workspace/didChangeConfiguration",
      params: { settings: { yaml } },
    });
    const document = { uri, languageId: "yaml", version: 1, text };
    send({ method: "textDocument/didOpen", params: { textDocument: document } });
  } else if (message.method === "textDocument/publishDiagnostics") {
    if (told.marked !== undefined) return;
    told.marked = message.params.diagnostics.map((one) => ({
      line: one.range.start.line + 1,
      said: one.message,
    }));
    const start = lines[line].indexOf("do: ");
    send({ id: 2, method: "textDocument/hover", params: at(start + 1) });
    send({ id: 3, method: "textDocument/completion", params: at(start + 4) });
  } else if (message.id === 2) {
    told.shown = message.result?.contents?.value ?? "";
  } else if (message.id === 3) {
    told.offered = message.result.items.map((item) => item.label);
  }
  if (told.shown !== undefined && told.offered !== undefined) {
    console.log(JSON.stringify(told));
    server.kill();
    process.exit(0);
  }
}

send({
  id: 1,
  method: "initialize",
  params: {
    processId: process.pid,
    rootUri: pathToFileURL(dirname(file)).href,
    capabilities: { textDocument: { publishDiagnostics: {} } },
  },
});
