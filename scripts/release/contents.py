#!/usr/bin/env python3
"""Says what a release consists of: licences of all that is inside, and a list of the parts (SPDX 2.3).

Used by scripts/release.sh for the archive and by CPack for the package (scripts/cmake/deb_files.cmake):

    contents.py PREFIX --source DIR --libtorch DIR --sentencepiece DIR --version VERSION [--origins FILE]

PREFIX is an installation. FILE names for each library of the distribution in PREFIX/lib/sdx the file
that it was copied from: "libtbb.so.12<tab>/usr/lib/x86_64-linux-gnu/libtbb.so.12.8". The list is made
from the files in PREFIX: a library that no part accounts for is an error. Written are
share/doc/sdx/third-party/ and share/doc/sdx/sbom.spdx.json. The standard library is all that it needs.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Licences of the distribution's source packages, as SPDX calls them, or of a package where it differs
# from its source's. One that is not here is listed as NOASSERTION, with its text; add a row.
LICENCES = {
    "cli11": "BSD-3-Clause",
    "fmtlib": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "giflib": "MIT",
    "lapack": "BSD-3-Clause",
    "lcms2": "MIT",
    "libbsd": "BSD-3-Clause",
    "libexif": "LGPL-2.1-or-later",
    "libglvnd": "MIT",
    "libjpeg-turbo": "IJG AND BSD-3-Clause AND Zlib",
    "libmd": "BSD-3-Clause",
    "libpng1.6": "libpng-2.0",
    "libquadmath0": "LGPL-2.1-or-later",
    "libwebp": "BSD-3-Clause",
    "libx11": "MIT",
    "libxau": "MIT",
    "libxcb": "MIT",
    "libxdmcp": "MIT",
    "nlohmann-json3": "MIT",
    "onetbb": "Apache-2.0",
    "openblas": "BSD-3-Clause",
    "opencv": "Apache-2.0",
    "openssl": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "spdlog": "MIT",
    "utf8proc": "MIT AND Unicode-DFS-2015",
    "zlib": "Zlib",
}

# Packages of the distribution that are inside without a file of their own: only headers, or data.
COMPILED_IN = {
    "libcli11-dev": "headers, compiled into libsdx-tools.so",
    "nlohmann-json3-dev": "headers, compiled into libsdx-tools.so",
    "opencv-data": "share/sdx/haarcascades",
}


def fail(message):
    sys.exit(f"sdx: error: {message}")


def ask_dpkg(*arguments):
    """The output of dpkg-query, or None where it fails."""
    try:
        done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        fail("dpkg-query is missing; install the package dpkg")
    return done.stdout.strip() if done.returncode == 0 else None


def find_package(file):
    """The distribution's package of a file. Where /lib is a link to /usr/lib, either may be on record."""
    real = os.path.realpath(file)
    for path in (file, real, real.removeprefix("/usr"), "/usr" + real):
        answer = ask_dpkg("--search", path)
        if answer:
            return answer.splitlines()[0].split(":")[0]
    return fail(f"no package of this system has {file}, so its licence is not known; install sdx's libraries "
                "as packages (scripts/setup.sh)")


def describe_package(name):
    """Source package, version and licence's file of a package that is installed."""
    answer = ask_dpkg("--show", "--showformat=${source:Package}\t${Version}\t${Status}", name)
    if not answer or "installed" not in answer:
        return None
    source, version, _ = answer.split("\t")
    copyright_file = pathlib.Path("/usr/share/doc") / name / "copyright"
    return re.sub(r"^gcc-\d+$", "gcc", source), version, copyright_file


def hash_file(path, kind):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.new(kind, file.read()).hexdigest()


class Contents:
    """The parts of a release, each with the files that belong to it."""

    def __init__(self, prefix, version):
        self.prefix = prefix
        self.notices = prefix / "share/doc/sdx/third-party"
        shutil.rmtree(self.notices, ignore_errors=True)
        self.notices.mkdir(parents=True)
        self.parts = []
        self.add("sdx", version, "MIT", [], "this project", link=None)

    def add(self, name, version, licence, texts, comment, files=(), link="CONTAINS"):
        """A part; `texts` are its licences, of which each must exist."""
        for text in texts:
            if not text.is_file():
                fail(f"{name}: no licence in {text}")
        if len(texts) == 1:
            shutil.copyfile(texts[0], self.notices / f"{name}.txt")
        self.parts.append({"name": name, "version": version, "licence": licence, "comment": comment,
                           "files": list(files), "link": link})

    def add_libtorch(self, libtorch, files):
        wheels = sorted(libtorch.parent.glob("torch-*.dist-info"))
        version, licence = "unknown", "NOASSERTION"
        if wheels:
            fields = dict(re.findall(r"^(Version|License-Expression): (.+)$",
                                     (wheels[0] / "METADATA").read_text(), re.MULTILINE))
            version = fields.get("Version", version)
            licence = fields.get("License-Expression", licence)
            # Older wheels keep the texts beside METADATA.
            root = wheels[0] / "licenses" if (wheels[0] / "licenses").is_dir() else wheels[0]
            texts = sorted(path for path in root.rglob("*")
                           if path.is_file() and re.match(r"LICENSE|NOTICE|COPYING", path.name))
        else:
            root, texts = libtorch, [path for path in [libtorch / "LICENSE"] if path.is_file()]
            if (libtorch / "build-version").is_file():
                version = (libtorch / "build-version").read_text().strip()
        if not texts:
            fail(f"{libtorch}: no licence of libtorch was found there; use the wheel (scripts/setup.sh)")
        with open(self.notices / "libtorch.txt", "w", encoding="utf-8") as out:
            for text in texts:
                out.write(f"==== {text.relative_to(root)}\n\n{text.read_text(errors='replace')}\n")
        comment = "the wheel torch, without what serves Python; the texts name the libraries in it"
        if any(b"mkl_blas" in (self.prefix / file).read_bytes() for file in files if "torch_cpu" in file):
            comment += "; it contains Intel oneMKL (Intel Simplified Software License), linked statically"
        self.add("libtorch", version, licence, [], comment, files)

    def write_sbom(self, path, namespace, created):
        packages, files, relationships = [], [], []
        relationships.append(("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Package-sdx"))
        for part in self.parts:
            identity = "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", part["name"])
            package = {
                "SPDXID": identity,
                "name": part["name"],
                "versionInfo": part["version"],
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": bool(part["files"]),
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": part["licence"],
                "copyrightText": "NOASSERTION",
                "comment": part["comment"],
            }
            if part["files"]:
                # As SPDX defines it: the hash of the sorted hashes.
                hashes = sorted(hash_file(self.prefix / file, "sha1") for file in part["files"])
                package["packageVerificationCode"] = {
                    "packageVerificationCodeValue": hashlib.sha1("".join(hashes).encode()).hexdigest()}
            packages.append(package)
            if part["link"]:
                relationships.append(("SPDXRef-Package-sdx", part["link"], identity))
            for file in part["files"]:
                file_identity = f"SPDXRef-File-{len(files) + 1}"
                files.append({
                    "SPDXID": file_identity,
                    "fileName": "./" + file,
                    "checksums": [
                        {"algorithm": kind.upper(), "checksumValue": hash_file(self.prefix / file, kind)}
                        for kind in ("sha1", "sha256")
                    ],
                    "licenseConcluded": "NOASSERTION",
                    "copyrightText": "NOASSERTION",
                })
                relationships.append((identity, "CONTAINS", file_identity))
        document = {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": "sdx-" + self.parts[0]["version"],
            "documentNamespace": namespace,
            "creationInfo": {"created": created, "creators": ["Tool: sdx-scripts-release"]},
            "packages": packages,
            "files": files,
            "relationships": [
                {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
                for one, kind, other in relationships
            ],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefix", type=pathlib.Path)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--libtorch", type=pathlib.Path, required=True)
    parser.add_argument("--sentencepiece", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--origins", type=pathlib.Path)
    arguments = parser.parse_args()
    prefix = arguments.prefix

    binaries = sorted(str(path.relative_to(prefix)) for folder in ("bin", "lib")
                      for path in (prefix / folder).rglob("*") if path.is_file())
    contents = Contents(prefix, arguments.version)
    contents.parts[0]["files"] = [file for file in binaries
                                  if file.startswith("bin/") or file.endswith("/libsdx-tools.so")]
    contents.add_libtorch(arguments.libtorch, [file for file in binaries
                                               if file.startswith(("lib/sdx/torch/", "lib/sdx/nvidia/"))])
    version = re.search(r"sentencepiece-([0-9.]+)", arguments.sentencepiece.name)
    contents.add("sentencepiece", version[1] if version else "unknown", "Apache-2.0",
                 [arguments.sentencepiece / "LICENSE"], "linked statically into libsdx-tools.so")
    contents.add("clip-vocabulary", "openai/CLIP", "MIT",
                 [arguments.source / "configs/tokenizers/clip/LICENSE"], "share/sdx/tokenizers/clip")

    by_package = {}
    if arguments.origins:
        for line in arguments.origins.read_text().splitlines():
            name, origin = line.split("\t")
            by_package.setdefault(find_package(origin), []).append("lib/sdx/" + name)
    for package in COMPILED_IN:
        by_package.setdefault(package, [])
    for package, files in sorted(by_package.items()):
        description = describe_package(package)
        if description is None:
            fail(f"the package {package} is not installed, so its licence is not known (scripts/setup.sh)")
        source, version, text = description
        licence = LICENCES.get(package, LICENCES.get(source, "NOASSERTION"))
        if licence == "NOASSERTION":
            print(f"sdx: the licence of {source} has no row in {pathlib.Path(__file__).name}", file=sys.stderr)
        contents.add(package, version, licence, [text],
                     COMPILED_IN.get(package, f"of the distribution's source package {source}"), files)

    listed = {file for part in contents.parts for file in part["files"]}
    if unknown := [file for file in binaries if file not in listed]:
        fail(f"nothing says where these files are from: {', '.join(unknown)}")

    when = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    created = datetime.datetime.fromtimestamp(when, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = hashlib.sha256(json.dumps(contents.parts).encode()).hexdigest()[:32]
    contents.write_sbom(prefix / "share/doc/sdx/sbom.spdx.json",
                        f"urn:sdx:{arguments.version}:{identity}", created)


main()
