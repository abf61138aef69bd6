// Seaworthy for Node: promises, AbortSignal, and an event loop that is never blocked. The library's calls
// run on a thread of koffi; their events are queued to the event loop.
import { promisify } from "node:util";
import koffi from "koffi";

const lib = koffi.load(process.env.SEAWORTHY_LIBRARY ?? "libseaworthy.so.1");

const Tell = koffi.proto("int32_t Tell(void *user_data, void *json, size_t len)");
koffi.struct("Callback", {
  size: "uint32_t",
  reserved: "uint32_t",
  call: koffi.pointer(Tell),
  user_data: "void *",
  finalizer: "void *",
});
koffi.struct("Call", {
  size: "uint32_t",
  log_level: "uint32_t",
  cancel: "void *",
  progress: "Callback *",
  log: "Callback *",
});

const abiVersion = lib.func("uint32_t sw_abi_version()");
const stringData = lib.func("int32_t sw_string_data(void *s, _Out_ void **data, _Out_ size_t *len)");
const stringFree = lib.func("void sw_string_free(void *s)");
const errorText = Object.fromEntries(
  ["message", "operation", "remedy", "context"].map((part) => [
    part,
    lib.func(`int32_t sw_error_${part}(void *e, _Out_ void **data, _Out_ size_t *len)`),
  ]),
);
const errorFree = lib.func("void sw_error_free(void *e)");
const cancelNew = lib.func("int32_t sw_cancel_new(_Out_ void **out, void *error)");
const cancelTrigger = lib.func("int32_t sw_cancel_trigger(void *c)");
const cancelFree = lib.func("void sw_cancel_free(void *c)");
const openText = promisify(
  lib.func(
    "int32_t sw_ctx_open_text(const char *toml, size_t toml_len, const char *base, size_t base_len, void *options, " +
      "_Out_ void **out, _Out_ void **error)",
  ).async,
);
const openFile = promisify(
  lib.func(
    "int32_t sw_ctx_open_file(const char *path, size_t len, void *options, _Out_ void **out, _Out_ void **error)",
  ).async,
);
const ctxFree = promisify(lib.func("void sw_ctx_free(void *ctx)").async);
const COMMANDS = [
  ...["backup", "snapshots", "show", "verify", "drill", "restore", "prune", "sync", "pin", "unpin"],
  ...["run", "apply", "status", "doctor", "cert", "proxy", "service"],
];
const commands = Object.fromEntries(
  COMMANDS.map((name) => [
    name,
    promisify(
      lib.func(
        `int32_t sw_${name}(void *ctx, const char *request, size_t len, Call *call, _Out_ void **document, ` +
          "_Out_ void **error)",
      ).async,
    ),
  ]),
);

if (abiVersion() !== 1) throw new Error(`libseaworthy has ABI ${abiVersion()}, not 1`);

/** The numbers of the kinds of errors; all of them are in seaworthy.h. */
export const Code = Object.freeze({ INVALID_INPUT: -1, CONFIG: -2, NOT_FOUND: -3, CANCELLED: -12 });

/** An error, with the document of the failed command. */
export class SeaworthyError extends Error {
  constructor(code, handle, document) {
    super(handle ? read(errorText.message, handle) : "the library gave no message");
    this.name = "SeaworthyError";
    this.code = code;
    this.document = document;
    if (handle) {
      this.operation = read(errorText.operation, handle);
      this.remedy = read(errorText.remedy, handle);
      this.context = JSON.parse(read(errorText.context, handle));
      errorFree(handle);
    }
  }
}

/** An open configuration. Close it when no command is running. */
export class Context {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Opens a configuration from text; paths are relative to `base`. */
  static async fromText(toml, base) {
    const [out, error] = [[null], [null]];
    check(await openText(toml, Buffer.byteLength(toml), base, Buffer.byteLength(base), null, out, error), error);
    return new Context(out[0]);
  }

  /** Opens a file. */
  static async fromFile(path) {
    const [out, error] = [[null], [null]];
    check(await openFile(path, Buffer.byteLength(path), null, out, error), error);
    return new Context(out[0]);
  }

  /**
   * Runs a command (`backup`, `restore`, …) and returns its document. `progress` gets each event;
   * if it throws, the command is cancelled and the promise is rejected with its error. */
  async run(command, request = {}, { progress, signal } = {}) {
    const cancel = [null];
    check(cancelNew(cancel, null), [null]);
    const stop = () => cancelTrigger(cancel[0]);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    let thrown;
    const tell = (_data, json, len) => {
      try {
        if (thrown === undefined) progress(JSON.parse(koffi.decode(json, "char", Number(len))));
      } catch (error) {
        thrown = error;
      }
      return thrown === undefined ? 0 : 1;
    };
    const registered = progress && koffi.register(tell, koffi.pointer(Tell));
    const callback = progress && {
      size: koffi.sizeof("Callback"),
      reserved: 0,
      call: registered,
      user_data: null,
      finalizer: null,
    };
    const call = { size: koffi.sizeof("Call"), log_level: 0, cancel: cancel[0], progress: callback ?? null, log: null };
    const text = JSON.stringify(request);
    const [out, error] = [[null], [null]];
    try {
      const code = await commands[command](this.#handle, text, Buffer.byteLength(text), call, out, error);
      const document = out[0] ? JSON.parse(take(out[0])) : undefined;
      if (thrown !== undefined) {
        errorFree(error[0]);
        throw thrown;
      }
      check(code, error, document);
      return document;
    } finally {
      if (registered) koffi.unregister(registered);
      signal?.removeEventListener("abort", stop);
      cancelFree(cancel[0]);
    }
  }

  /** Ends the context's threads. */
  async close() {
    await ctxFree(this.#handle);
    this.#handle = null;
  }
}

function read(function_, handle) {
  const [data, len] = [[null], [0]];
  function_(handle, data, len);
  return koffi.decode(data[0], "char", Number(len[0]));
}

function take(handle) {
  const text = read(stringData, handle);
  stringFree(handle);
  return text;
}

function check(code, error, document) {
  if (code !== 0) throw new SeaworthyError(code, error[0], document);
}
