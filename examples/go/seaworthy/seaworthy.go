// Package seaworthy is Seaworthy for Go: a thin layer over libseaworthy. Documents are JSON, to be decoded
// into whatever is wanted of them.
package seaworthy

/*
#cgo pkg-config: seaworthy
#include <seaworthy.h>
#include <stdlib.h>

typedef int32_t (*sw_command)(const sw_ctx *, const char *, size_t, const sw_call *, sw_string **, sw_error **);

extern int32_t seaworthyEvent(void *user_data, char *json, size_t len);

static int32_t tell(void *user_data, const char *json, size_t len) {
	return seaworthyEvent(user_data, (char *)json, len);
}

static int32_t run(sw_command command, const sw_ctx *ctx, const char *request, size_t len, const sw_cancel *cancel,
                   void *listener, sw_string **document, sw_error **error) {
	sw_callback progress = {sizeof progress, 0, tell, listener, NULL};
	sw_call call = {sizeof call, 0, cancel, listener ? &progress : NULL, NULL};
	return command(ctx, request, len, &call, document, error);
}
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Code is the kind of an error; the numbers are those of seaworthy.h.
type Code int32

// Some codes.
const (
	InvalidInput Code = C.SW_E_INVALID_INPUT
	NotFound     Code = C.SW_E_NOT_FOUND
	Cancelled    Code = C.SW_E_CANCELLED
)

// Error is a failure, with the document of the failed command.
type Error struct {
	Code     Code
	Message  string
	Remedy   string
	Document []byte
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Event is something that happens while a command runs.
type Event struct {
	Event     string `json:"event"`
	Time      string `json:"time"`
	Operation string `json:"operation"`
	Name      string `json:"name"`
	Outcome   string `json:"outcome"`
	Task      string `json:"task"`
	Message   string `json:"message"`
	Bytes     uint64 `json:"bytes"`
	Items     uint64 `json:"items"`
}

// Command is one of the library's commands.
type Command int

// The commands.
const (
	Backup Command = iota
	Snapshots
	Show
	Verify
	Drill
	Restore
	Prune
	Sync
	Pin
	Unpin
	Run
	Apply
	Status
	Doctor
	Cert
	Proxy
	Service
)

var commands = [...]C.sw_command{
	C.sw_command(C.sw_backup), C.sw_command(C.sw_snapshots), C.sw_command(C.sw_show), C.sw_command(C.sw_verify),
	C.sw_command(C.sw_drill), C.sw_command(C.sw_restore), C.sw_command(C.sw_prune), C.sw_command(C.sw_sync),
	C.sw_command(C.sw_pin), C.sw_command(C.sw_unpin), C.sw_command(C.sw_run), C.sw_command(C.sw_apply),
	C.sw_command(C.sw_status), C.sw_command(C.sw_doctor), C.sw_command(C.sw_cert), C.sw_command(C.sw_proxy),
	C.sw_command(C.sw_service),
}

// Context is an open configuration. Several goroutines may use it at once.
type Context struct{ handle *C.sw_ctx }

// OpenText opens a configuration from text; paths are relative to base.
func OpenText(toml, base string) (*Context, error) {
	text, folder := C.CString(toml), C.CString(base)
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(folder))
	var handle *C.sw_ctx
	var failed *C.sw_error
	code := C.sw_ctx_open_text(text, C.size_t(len(toml)), folder, C.size_t(len(base)), nil, &handle, &failed)
	if err := check(code, failed, nil); err != nil {
		return nil, err
	}
	return &Context{handle}, nil
}

// Close ends the context's threads. Call it when no command is running.
func (c *Context) Close() {
	C.sw_ctx_free(c.handle)
	c.handle = nil
}

// Run runs a command and returns its document. It stops when ctx is done. Events go to listen,
// which may be nil; false stops the command.
func (c *Context) Run(ctx context.Context, command Command, request any, listen func(Event) bool) ([]byte, error) {
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	text := C.CString(string(raw))
	defer C.free(unsafe.Pointer(text))

	var cancel *C.sw_cancel
	if err := check(C.sw_cancel_new(&cancel, nil), nil, nil); err != nil {
		return nil, err
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			C.sw_cancel_trigger(cancel)
		case <-done:
		}
		close(stopped)
	}()

	var listener unsafe.Pointer
	if listen != nil {
		// C only gets a number, never a pointer into Go's memory.
		handle := cgo.NewHandle(listen)
		defer handle.Delete()
		place := (*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(C.uintptr_t(0)))))
		defer C.free(unsafe.Pointer(place))
		*place = C.uintptr_t(handle)
		listener = unsafe.Pointer(place)
	}
	var document *C.sw_string
	var failed *C.sw_error
	code := C.run(commands[command], c.handle, text, C.size_t(len(raw)), cancel, listener, &document, &failed)
	close(done)
	<-stopped
	C.sw_cancel_free(cancel)
	out := take(document)
	return out, check(code, failed, out)
}

//export seaworthyEvent
func seaworthyEvent(userData unsafe.Pointer, text *C.char, length C.size_t) C.int32_t {
	listen := cgo.Handle(*(*C.uintptr_t)(userData)).Value().(func(Event) bool)
	var event Event
	if json.Unmarshal(C.GoBytes(unsafe.Pointer(text), C.int(length)), &event) != nil || !listen(event) {
		return 1
	}
	return 0
}

func take(document *C.sw_string) []byte {
	if document == nil {
		return nil
	}
	defer C.sw_string_free(document)
	var data *C.char
	var length C.size_t
	C.sw_string_data(document, &data, &length)
	return C.GoBytes(unsafe.Pointer(data), C.int(length))
}

func check(code C.int32_t, failed *C.sw_error, document []byte) error {
	if code == C.SW_OK {
		return nil
	}
	defer C.sw_error_free(failed)
	var message, remedy *C.char
	C.sw_error_message(failed, &message, nil)
	C.sw_error_remedy(failed, &remedy, nil)
	return &Error{Code(code), C.GoString(message), C.GoString(remedy), document}
}
