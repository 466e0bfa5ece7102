#include "launcher/launch.h"

int main(int argc, char** argv) { return sdx::launch("sdx-model", argc, argv); }
