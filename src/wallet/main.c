#include "base/descriptors.h"
#include "wallet/command.h"

int main(int argc, char **argv) {
    descriptors_fill();
    return wallet_main(argc, argv);
}
