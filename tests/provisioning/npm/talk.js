// Others' Improv client, the SDK of ESP Web Tools, talks to a board: bytes of the serial line come
// and go by standard input and output, what it found is written as JSON to the file named.
// node talk.js RESULT-FILE SSID PASSWORD
import { writeFileSync } from "node:fs";
import { register } from "node:module";
import { Readable, Writable } from "node:stream";

// The package is made for bundlers: its modules name each other without ".js", nor says it that
// they are modules.
const hooks = `
  const ours = (url) => url.includes("/improv-wifi-serial-sdk/dist/");
  export const resolve = (name, context, next) =>
    next(ours(context.parentURL ?? "") && /^\\.+\\/.*(?<!\\.js)$/.test(name) ? name + ".js" : name, context);
  export const load = (url, context, next) =>
    next(url, ours(url) ? { ...context, format: "module" } : context);
`;
register("data:text/javascript," + encodeURIComponent(hooks));
const { ImprovSerial } = await import("improv-wifi-serial-sdk/dist/serial.js");

const [file, ssid, password] = process.argv.slice(2);
const port = { readable: Readable.toWeb(process.stdin), writable: Writable.toWeb(process.stdout) };
const log = (...words) => console.error(...words);
const sdk = new ImprovSerial(port, { log, error: log, debug: () => {} });
const refusal = (promise) => promise.then(() => null, String);

const found = {};
try {
  found.info = await sdk.initialize(10000);
  found.before = { state: sdk.state, url: sdk.nextUrl ?? null };
  found.networks = await sdk.scan(20000);
  found.unknown = await refusal(sdk.requestNetworkState(5000));
  found.wrong = await refusal(sdk.provision(ssid, password + "!", 60000));
  await sdk.provision(ssid, password, 60000);
  found.provisioned = { state: sdk.state, url: sdk.nextUrl ?? null };
  await sdk.requestCurrentState(5000);
  found.after = { state: sdk.state, url: sdk.nextUrl ?? null };
} catch (error) {
  found.error = String(error);
}
writeFileSync(file, JSON.stringify(found));
process.exit(0);
