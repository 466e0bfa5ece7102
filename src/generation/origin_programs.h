#pragma once

#include "generation/origin_texts.h"

namespace sdx::origin {

// The ways of SwarmUI, Fooocus, InvokeAI, NovelAI and Easy Diffusion.
bool is_swarm(const Texts& texts);
void read_swarm(const Texts& texts, ImageOrigin& origin);
bool is_fooocus(const Texts& texts);
void read_fooocus(const Texts& texts, ImageOrigin& origin);
bool is_invoke(const Texts& texts);
void read_invoke(const Texts& texts, ImageOrigin& origin);
bool is_novel(const Texts& texts);
void read_novel(const Texts& texts, ImageOrigin& origin);
bool is_easy(const Texts& texts);
void read_easy(const Texts& texts, ImageOrigin& origin);

}  // namespace sdx::origin
