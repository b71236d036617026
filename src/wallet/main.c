#include "wallet/command.h"

int main(int argc, char **argv) { return wallet_main(argc, argv); }
