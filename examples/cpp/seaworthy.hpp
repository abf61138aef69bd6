// Seaworthy for C++11 and later: handles free themselves, errors are exceptions. Documents and events
// are JSON text: bring the JSON library that you like.
#ifndef SEAWORTHY_HPP
#define SEAWORTHY_HPP

#include <seaworthy.h>

#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace seaworthy {

/// An error, with the document of the failed command.
class error : public std::runtime_error {
public:
    error(int32_t code, const std::string &message, std::string remedy, std::string document)
        : std::runtime_error(message), code(code), remedy(std::move(remedy)),
          document(std::move(document)) {}

    const int32_t code;
    const std::string remedy;
    const std::string document;
};

namespace detail {

struct free_handle {
    void operator()(sw_ctx *handle) const { sw_ctx_free(handle); }
    void operator()(sw_cancel *handle) const { sw_cancel_free(handle); }
    void operator()(sw_error *handle) const { sw_error_free(handle); }
    void operator()(sw_string *handle) const { sw_string_free(handle); }
};
template <class T> using handle = std::unique_ptr<T, free_handle>;

inline std::string text(const handle<sw_string> &string) {
    const char *data = "";
    size_t len = 0;
    if (string) sw_string_data(string.get(), &data, &len);
    return std::string(data, len);
}

inline void check(int32_t code, sw_error *raw, std::string document = std::string()) {
    handle<sw_error> owned(raw);
    if (code == SW_OK) return;
    const char *message = "the library gave no message", *remedy = "";
    if (owned) {
        sw_error_message(owned.get(), &message, nullptr);
        sw_error_remedy(owned.get(), &remedy, nullptr);
    }
    throw error(code, message, remedy, std::move(document));
}

} // namespace detail

/// Stops calls, from any thread.
class cancel {
public:
    cancel() {
        sw_cancel *raw = nullptr;
        sw_error *error = nullptr;
        int32_t code = sw_cancel_new(&raw, &error);
        handle_.reset(raw);
        detail::check(code, error);
    }
    void trigger() const { sw_cancel_trigger(handle_.get()); }
    const sw_cancel *get() const { return handle_.get(); }

private:
    detail::handle<sw_cancel> handle_;
};

/// Called with an event as JSON, on the thread that made the call. An exception cancels the call
/// and is thrown by it.
using listener = std::function<void(const std::string &)>;

/// An open configuration. Several threads may use it at once.
class context {
public:
    static context from_file(const std::string &path) {
        context made;
        sw_ctx *raw = nullptr;
        sw_error *error = nullptr;
        int32_t code = sw_ctx_open_file(path.data(), path.size(), nullptr, &raw, &error);
        made.handle_.reset(raw);
        detail::check(code, error);
        return made;
    }

    static context from_text(const std::string &toml, const std::string &base) {
        context made;
        sw_ctx *raw = nullptr;
        sw_error *error = nullptr;
        int32_t code = sw_ctx_open_text(toml.data(), toml.size(), base.data(), base.size(), nullptr,
                                        &raw, &error);
        made.handle_.reset(raw);
        detail::check(code, error);
        return made;
    }

    using command = int32_t (*)(const sw_ctx *, const char *, size_t, const sw_call *, sw_string **,
                                sw_error **);

    /// Runs `command` (sw_backup, sw_restore, …) with a request as JSON, and returns its document.
    std::string run(command command, const std::string &request = "{}",
                    const listener &progress = nullptr, const cancel *cancel = nullptr) const {
        told state = {&progress, nullptr};
        sw_callback callback = {};
        callback.size = sizeof callback;
        callback.call = tell;
        callback.user_data = &state;
        sw_call call = {};
        call.size = sizeof call;
        call.progress = progress ? &callback : nullptr;
        call.cancel = cancel ? cancel->get() : nullptr;
        sw_string *raw = nullptr;
        sw_error *error = nullptr;
        int32_t code = command(handle_.get(), request.data(), request.size(), &call, &raw, &error);
        detail::handle<sw_string> document(raw);
        if (state.thrown) {
            sw_error_free(error);
            std::rethrow_exception(state.thrown);
        }
        std::string text = detail::text(document);
        detail::check(code, error, text);
        return text;
    }

private:
    struct told {
        const listener *progress;
        std::exception_ptr thrown;
    };

    // No exception may leave a callback: it is stored, and the call is cancelled.
    static int32_t tell(void *user_data, const char *json, size_t len) noexcept {
        told &state = *static_cast<told *>(user_data);
        if (state.thrown) return 1;
        try {
            (*state.progress)(std::string(json, len));
            return 0;
        } catch (...) {
            state.thrown = std::current_exception();
            return 1;
        }
    }

    context() = default;
    detail::handle<sw_ctx> handle_;
};

} // namespace seaworthy

#endif
