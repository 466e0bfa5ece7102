// Trains an embedding from a folder of portraits and draws a prompt with it, through sdx's headers
// alone: avatar MODEL PORTRAITS NAME PROMPT [STEPS]

#include "sdx/generation/image_options.h"
#include "sdx/image/png.h"
#include "sdx/training/loaded_model.h"
#include "sdx/training/training_options.h"
#include "sdx/training/training_run.h"

int main(int argc, char** argv) try {
  if (argc < 5) throw sdx::UsageError("usage: avatar MODEL PORTRAITS NAME PROMPT [STEPS]");
  sdx::TrainingOptions options = sdx::default_training();
  options.portraits = argv[2];
  options.inversion.name = argv[3];
  if (argc > 5) options.exact_steps = std::stoi(argv[5]);

  const sdx::Bundle bundle = sdx::Bundle::find(argv[1]);
  const sdx::LoadedModel model(bundle, sdx::choose_target("auto", "auto"), "");
  sdx::TrainingObserver observer;  // nobody watches
  sdx::RunFolder folder("run", sdx::KeepPolicy::kBest);
  sdx::TrainedEmbedding trained = sdx::train(
      sdx::prepare_training(bundle, model.target, model.identities, sdx::make_spec(options), folder,
                            sdx::ResumePolicy::kStartAnew, observer),
      model.parts());
  trained.save("avatar.safetensors", "avatar 1.0");

  sdx::EmbeddingTable embeddings;
  embeddings.add_from("avatar.safetensors");
  sdx::ImageOptions image;
  image.prompt = argv[4];
  model.generator.generate(
      {make_request(image, bundle.info().advice)}, embeddings, {},
      [](std::size_t, const sdx::GeneratedImage& made) { write_png("avatar.png", made.image); });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "avatar: %s\n", error.what());
  return 1;
}
