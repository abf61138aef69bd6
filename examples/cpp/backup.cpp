// Backs a folder up, restores it, and shows how progress, cancelling and errors work.
//
//   c++ backup.cpp $(pkg-config --cflags --libs seaworthy) -o backup && ./backup FOLDER WORK
#include <iostream>

#include "seaworthy.hpp"

int main(int argc, char **argv) {
    if (argc != 3) return std::cerr << "usage: backup FOLDER WORK\n", 2;
    const std::string folder = argv[1], work = argv[2];
    try {
        auto context = seaworthy::context::from_text(
            "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
            "[backup.nightly]\nsinks = [\"local\"]\n"
            "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"" + folder + "\"]\n",
            work);

        int events = 0;
        context.run(sw_backup, "{}", [&](const std::string &event) {
            events++;
            std::cout << "  " << event << "\n";
        });
        std::cout << "backup: done after " << events << " events\n";
        context.run(sw_restore, "{\"snapshot\":\"nightly\",\"to\":\"" + work + "/restored\"}");
        std::cout << "restore: done\n";

        seaworthy::cancel cancel; // any thread may pull it
        try {
            context.run(sw_backup, "{}", [&](const std::string &) { cancel.trigger(); }, &cancel);
            return 1;
        } catch (const seaworthy::error &error) {
            if (error.code != SW_E_CANCELLED) throw;
            std::cout << "cancelled backup: " << error.what() << "\n";
        }
        try {
            context.run(sw_backup, "{\"jobs\":[\"nihgtly\"]}");
            return 1;
        } catch (const seaworthy::error &error) {
            std::cout << "no such job: error " << error.code << ": " << error.what() << "\n  help: "
                      << error.remedy << "\n";
        }
        return events > 0 ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
