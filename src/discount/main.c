#include "discount/program.h"

int main(int argc, char **argv) { return discount_main(argc, argv); }
