// An embedding's file of any format. The first letter chooses the file's ending.

#include "sdx/embedding/embedding_reader.h"

#include "fuzz/checksums.h"
#include "fuzz/target.h"

using namespace sdx;

SDX_FUZZ_TARGET(embedding) {
  const char* name = "Ada.bin";
  switch (fuzz::take_letter(bytes)) {
    case 's':
      name = "Ada.safetensors";
      break;
    case 't':
      name = "Ada.pt";
      break;
    case 'p':
      name = "Ada.png";
      break;
    default:
      break;
  }
  const auto file = fuzz::make_file(name, fuzz::mend_png(bytes));
  inspect_embedding(file);
  read_embeddings(file);
}
