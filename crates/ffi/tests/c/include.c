/* The header by itself, twice. */
#include "seaworthy.h"
#include "seaworthy.h"

int main(void) {
    sw_sink sink = {0};
    return sw_abi_version() == SW_ABI_VERSION && sink.size == 0 ? 0 : 1;
}
